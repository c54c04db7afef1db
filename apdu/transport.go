package apdu

import (
	"context"
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
// time, though not always by the same.
type Transport interface {
	// Transmit takes one encoded command APDU and returns the response with
	// its status word; an error says that no response came. It may return
	// early when ctx is done, and keeps no command, which its caller clears.
	// The data of the response belong to the caller, who may clear them.
	Transmit(ctx context.Context, command []byte) ([]byte, error)
	// Info is what is known without asking the card.
	Info() Info
	// Close leaves the card as it is.
	Close() error
}

// Transaction is a transaction that has begun.
type Transaction struct {
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
	// Begin begins a transaction. It may return early when ctx is done; then
	// no transaction has begun.
	Begin(ctx context.Context) (Transaction, error)
}

// Liveness is implemented by a Transport that knows, without an exchange,
// whether its card is still there.
type Liveness interface {
	// Alive is false once the card was removed. Unlike all other methods it
	// may be called at any time, also while another call is under way.
	Alive() bool
}

// Immediacy is implemented by a Transport to a card that is part of the same
// program: it knows of calls that wait for nothing but the processor. A Conn
// makes those on the goroutine of its caller, which saves handing them over to
// one of its own; a caller who is cancelled then waits for their end.
type Immediacy interface {
	// Immediate tells whether Transmit of this command would end within some
	// milliseconds, whatever happens. It is asked within a transaction.
	Immediate(command []byte) bool
	// TryBegin is Begin that does not wait: if another transaction is open it
	// returns false, and has done nothing. The end of a transaction that it
	// began is immediate.
	TryBegin() (begun Transaction, ok bool, err error)
}
