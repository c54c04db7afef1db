package apdu

import (
	"context"
	"iter"
	"sync"
)

// Protocol is the transmission protocol between reader and card.
type Protocol byte

// The protocols of ISO 7816-3.
const (
	T0 Protocol = 0
	T1 Protocol = 1
)

// Info tells what is known of the link without asking the card.
type Info struct {
	Reader   string   // name of the reader
	ATR      []byte   // answer to reset
	Protocol Protocol // T0 or T1
	// MaxCommand and MaxResponse are the longest whole APDU, in bytes with
	// header and status word, that the reader carries; 0 means that only
	// short APDUs (261 and 258 bytes) are sure to pass.
	MaxCommand, MaxResponse int
}

// Transport carries commands to one card. It is used by one goroutine at a
// time. Transmit takes one encoded command APDU and returns the response with
// its status word; an error says that no response came. Close leaves the
// card as it is.
type Transport interface {
	Transmit(ctx context.Context, command []byte) ([]byte, error)
	Info() Info
	Close() error
}

// Begun is a transaction that has begun.
type Begun struct {
	// End ends the transaction and leaves the card as it is. It is called
	// exactly once.
	End func() error
	// Undisturbed is true if nobody else has sent the card anything, nor
	// reset it, since the last End of the same Transport: what was selected
	// and verified then still is.
	Undisturbed bool
}

// Transactor is implemented by a Transport whose card may be shared with
// others. Begin waits until no other transaction is open on the card. If the
// card was reset since the last transaction it returns ErrReset once, and the
// next Begin succeeds.
type Transactor interface {
	Begin(ctx context.Context) (Begun, error)
}

// Liveness is implemented by a Transport that knows, without an exchange,
// whether its card is still there.
type Liveness interface {
	// Alive is false once the card was removed.
	Alive() bool
}

// PINBlock describes a PIN entry on the reader itself (PC/SC part 10).
type PINBlock struct {
	Command    Command // template: the PIN's place filled with padding
	Min, Max   int     // length of the PIN, in characters
	BlockSize  int     // bytes of one PIN in Command.Data
	OldAndNew  bool    // for Modify: the old PIN is asked for, too
	Offset     int     // of the (old) PIN in Command.Data
	NewOffset  int     // of the new PIN in Command.Data
	RetryHints bool    // show the standard messages on the reader's display
}

// PINPad is implemented by a Transport whose reader has keys of its own. The
// PIN never reaches the program.
type PINPad interface {
	Verify(ctx context.Context, b PINBlock) (Status, error)
	Modify(ctx context.Context, b PINBlock) (Status, error)
}

// Event is a change seen by Provider.Watch.
type Event struct {
	Reader  string
	Present bool   // a card is in the reader
	Gone    bool   // the reader itself went away
	ATR     []byte // of the card, if Present
	// Count grows with every insertion and removal in this reader, so that a
	// card that was taken out and put back between two looks is noticed.
	Count uint64
	// Initial marks the state that Watch begins with. The last of them has
	// Settled set; a Provider without readers yields one event without a
	// reader name, with both set.
	Initial, Settled bool
}

// Provider is a source of readers: PC/SC, or virtual ones. It is safe for
// concurrent use. Types that implement it embed an Anchor.
type Provider interface {
	// Readers lists the names of the readers, with or without a card.
	Readers(ctx context.Context) ([]string, error)
	// Connect opens a shared connection to the card in a reader. It returns
	// ErrNoReader, ErrNoCard or ErrInUse.
	Connect(ctx context.Context, reader string) (Transport, error)
	// Watch begins with one Initial event a reader and goes on with changes
	// until ctx is done or the caller stops.
	Watch(ctx context.Context) iter.Seq2[Event, error]
	// Shared is where users of one Provider keep what they share.
	Shared() *Anchor
}

// Anchor holds what all users of one Provider in a process share. It is
// embedded in a Provider, which must then not be copied.
type Anchor struct {
	mu     sync.Mutex
	values map[any]any
}

// Shared returns the anchor itself, which makes a type that embeds it satisfy
// that part of Provider.
func (a *Anchor) Shared() *Anchor { return a }

// Value returns what is kept under key; at first it calls create, once.
func (a *Anchor) Value(key any, create func() any) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.values[key]
	if !ok {
		if a.values == nil {
			a.values = make(map[any]any)
		}
		v = create()
		a.values[key] = v
	}
	return v
}
