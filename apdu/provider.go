package apdu

import (
	"context"
	"iter"
)

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
// concurrent use. Types that implement it embed an SharedState.
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
	Shared() *SharedState
}
