package slot

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// List is the slots as one PKCS #11 application sees them. It is safe for
// concurrent use.
type List struct {
	hub     *Hub
	drivers []token.Driver
	opts    []apdu.Option

	mu     sync.Mutex
	closed bool
	tokens map[*token.Card]*token.Token
}

// NewList returns the view of a new application of p. The drivers are asked in
// their order about each card that comes; those of the first List of a
// Provider that meets a card decide.
func NewList(p apdu.Provider, drivers []token.Driver, opts ...apdu.Option) *List {
	l := &List{hub: hubOf(p), drivers: drivers, opts: opts, tokens: make(map[*token.Card]*token.Token)}
	l.hub.join()
	return l
}

// Application returns the view of another application on the same cards: it
// has logins, sessions and session objects of its own.
func (l *List) Application() *List { return NewList(l.hub.provider, l.drivers, l.opts...) }

// Slots lists the slots (C_GetSlotList), those with a token only if present
// is true. Cards that are new are read. A card that no driver knows is shown
// in the full list, and so is one that failed; Slot.Token says why. Errors:
// ckr.CryptokiNotInitialized after Close, ckr.DeviceError without the smart
// card service, ckr.FunctionCanceled.
func (l *List) Slots(ctx context.Context, present bool) ([]*Slot, error) {
	const op = "slot list"
	if l.isClosed() {
		return nil, ckr.New(ckr.CryptokiNotInitialized, op, nil)
	}
	if err := l.hub.look(ctx, l.drivers, l.opts); err != nil {
		return nil, token.Wrap(op, err)
	}
	h := l.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*Slot
	for _, name := range h.order {
		for _, s := range l.slotsOf(h.readers[name]) {
			if s.card != nil || !present {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// slotsOf lists the slots of one reader: one for each token, or one that is
// empty. The caller holds the hub's lock.
func (l *List) slotsOf(r *reader) []*Slot {
	info := Info{Reader: r.name, Driver: r.driver, Flags: FlagRemovableDevice | FlagHardwareSlot}
	if r.present {
		info.ATR = r.atr
		info.Flags |= FlagTokenPresent
	}
	first := l.hub.id(place{reader: r.name})
	if len(r.cards) == 0 {
		return []*Slot{{id: first, list: l, info: info, err: r.err}}
	}
	var out []*Slot
	for i, c := range r.cards {
		id := first
		if i > 0 {
			id = l.hub.id(place{r.name, r.driver, i})
		}
		out = append(out, &Slot{id: id, list: l, info: info, card: c})
	}
	return out
}

// Slot returns the slot with an id. Errors: ckr.SlotIDInvalid, and those of
// Slots.
func (l *List) Slot(ctx context.Context, id ID) (*Slot, error) {
	all, err := l.Slots(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.id == id {
			return s, nil
		}
	}
	return nil, ckr.Newf(ckr.SlotIDInvalid, "slot", "there is no slot %d", id)
}

// token returns the application's view of a card.
func (l *List) token(c *token.Card) (*token.Token, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ckr.New(ckr.CryptokiNotInitialized, "token", nil)
	}
	t := l.tokens[c]
	if t == nil {
		for old := range l.tokens {
			if !old.Alive() {
				delete(l.tokens, old)
			}
		}
		t = c.Application()
		l.tokens[c] = t
	}
	return t, nil
}

func (l *List) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// closeTime bounds how long Close waits for cards that do not answer.
const closeTime = time.Second

// Close ends the application (C_Finalize): all its sessions and logins end.
// With the last application of the Provider the connections are closed; the
// cards are left as they are. Errors: ckr.CryptokiNotInitialized if it was
// closed before.
func (l *List) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ckr.New(ckr.CryptokiNotInitialized, "finalise", nil)
	}
	l.closed = true
	tokens := l.tokens
	l.tokens = nil
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var errs []error
	for _, t := range tokens {
		if err := t.Close(ctx); err != nil && ckr.Of(err) != ckr.DeviceRemoved {
			errs = append(errs, err)
		}
	}
	for _, c := range l.hub.leave() {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
