package slot

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Source is where tokens come from: a set of places in which they come and go.
// Readers makes one of the readers of an apdu.Provider; another may be tokens
// that live in other processes.
type Source interface {
	// Watch yields the present state of all places, marked Initial, the last of
	// them Settled, and then each change until ctx is done, as
	// apdu.Provider.Watch does: Reader is the name of the place, Count grows
	// with each change of what is in it.
	Watch(ctx context.Context) iter.Seq2[apdu.Event, error]
	// Open looks at what is in a place and returns its tokens. It is called
	// once for each Count, and may take its time. Errors:
	// ckr.TokenNotRecognized, which is final, and those of package apdu.
	Open(ctx context.Context, place string) (*Contents, error)
	// Shared is where the applications of the process keep what they share of
	// the source: the same for all that are to share it.
	Shared() *apdu.Anchor
}

// Contents is what a Source has found in a place.
type Contents struct {
	Tokens []Recognized
	Alive  func() bool  // reports, from memory, whether it is still there
	Close  func() error // may wait for a call that hangs
}

// Recognized is a token, and the driver that knows it.
type Recognized struct {
	Driver  string
	Index   int // among the driver's in this place
	Backend driver.Backend
}

// Readers returns the source of the tokens on cards in the readers of p. The
// drivers are asked in their order about each card that comes, and each may find
// tokens on it.
func Readers(p apdu.Provider, drivers []driver.Driver, opts ...apdu.Option) Source {
	return readers{p, drivers, opts}
}

type readers struct {
	apdu.Provider
	drivers []driver.Driver
	opts    []apdu.Option
}

// Open connects to a card and lets the drivers look at it, in their order.
func (s readers) Open(ctx context.Context, reader string) (*Contents, error) {
	conn, err := apdu.Dial(ctx, s.Provider, reader, s.opts...)
	if err != nil {
		return nil, err
	}
	found, err := recognize(ctx, conn, s.drivers)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Contents{Tokens: found, Alive: conn.Alive, Close: conn.Close}, nil
}

// recognize asks all drivers: a card may have applications of several
// families. Where one has found tokens, another's failure does not count.
func recognize(ctx context.Context, conn *apdu.Conn, drivers []driver.Driver) (found []Recognized, err error) {
	if err := readLimits(ctx, conn); err != nil {
		return nil, err
	}
	var failed error
	for _, d := range drivers {
		backends, err := d.Probe(ctx, conn)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", d.Name, err))
			if ctx.Err() != nil || errors.Is(err, apdu.ErrRemoved) {
				break
			}
			continue
		}
		for i, b := range backends {
			found = append(found, Recognized{d.Name, i, b})
		}
	}
	if len(found) > 0 && ctx.Err() == nil && !errors.Is(failed, apdu.ErrRemoved) {
		return found, nil
	}
	if failed == nil {
		failed = ckr.Newf(ckr.TokenNotRecognized, "", "no driver knows the card")
	}
	return nil, failed
}
