package slot

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// List is the slots as one PKCS #11 application sees them. It is safe for
// concurrent use.
type List struct {
	hubs    []*Hub // one for each source
	sources []Source

	open context.Context // until Close
	end  context.CancelFunc

	mu       sync.Mutex
	tokens   map[*engine.Card]*engine.Token
	arrivals arrivals
	legacy   bool // for the tokens
}

// NewList returns the view of a new application of the tokens on the cards in
// the readers of p; see Readers. The drivers of the first List of a Provider that
// meets a card decide.
func NewList(p apdu.Provider, drivers []driver.Driver, opts ...apdu.Option) *List {
	return New(Readers(p, drivers, opts...))
}

// New returns the view of a new application of the tokens of all sources.
func New(sources ...Source) *List {
	l := &List{sources: sources, tokens: make(map[*engine.Card]*engine.Token)}
	l.open, l.end = context.WithCancel(context.Background())
	for _, s := range sources {
		h := hubOf(s)
		h.join()
		l.hubs = append(l.hubs, h)
	}
	return l
}

// idIn returns the id of a slot of one of the sources, whose own ids begin with 1
// each.
func idIn(source int, id ID) ID { return ID(source)<<32 | id }

// Application returns the view of another application on the same cards: it
// has logins, sessions and session objects of its own.
func (l *List) Application() *List {
	other := New(l.sources...)
	other.legacy = l.legacy
	return other
}

// AllowLegacy offers the application what is broken or weak as well; see
// token.Token.AllowLegacy. It is called before the List is used.
func (l *List) AllowLegacy() { l.legacy = true }

// Slots lists the slots (C_GetSlotList), those with a token only if present
// is true. Cards that are new are read. A card that no driver knows is shown
// in the full list, and so is one that failed, or that has not answered for ten
// seconds; Slot.Token says why. Errors: ckr.CryptokiNotInitialized after Close,
// ckr.DeviceError without the smart card service, ckr.FunctionCanceled.
func (l *List) Slots(ctx context.Context, present bool) ([]*Slot, error) {
	all, err := l.slots(ctx, func(int, string) bool { return true })
	if err != nil || !present {
		return all, err
	}
	var out []*Slot
	for _, s := range all {
		if s.card != nil {
			out = append(out, s)
		}
	}
	return out, nil
}

// slots lists all slots, after waiting for the cards in the places that the
// caller cares for.
func (l *List) slots(ctx context.Context, cares func(source int, place string) bool) ([]*Slot, error) {
	const op = "slot list"
	if l.isClosed() {
		return nil, ckr.New(ckr.CryptokiNotInitialized, op, nil)
	}
	for i, h := range l.hubs {
		err := h.refresh(ctx, l.sources[i], func(place string) bool { return cares(i, place) })
		if err != nil {
			return nil, codes.Wrap(op, err)
		}
	}
	var out []*Slot
	var now []change
	for i, h := range l.hubs {
		h.mu.Lock()
		for _, name := range h.order {
			r := h.readers[name]
			now = append(now, change{i, apdu.Event{Reader: name, Count: r.count}})
			out = append(out, l.slotsOf(i, r)...)
		}
		h.mu.Unlock()
	}
	l.begin(now)
	return out, nil
}

// slotsOf lists the slots of one place: one for each token, or one that is
// empty. The caller holds the hub's lock.
func (l *List) slotsOf(source int, r *reader) []*Slot {
	info := Info{Reader: r.name, Flags: FlagRemovableDevice | FlagHardwareSlot}
	if r.present {
		info.ATR = r.atr
		info.Flags |= FlagTokenPresent
	}
	h := l.hubs[source]
	first := idIn(source, h.id(place{reader: r.name}))
	if len(r.cards) == 0 {
		err := r.err
		if r.probe != nil {
			err = ckr.New(ckr.DeviceError, "", errProbing)
		}
		return []*Slot{{id: first, list: l, info: info, err: err}}
	}
	var out []*Slot
	for i, c := range r.cards {
		id := first
		if i > 0 {
			id = idIn(source, h.id(place{r.name, r.found[i].Driver, r.found[i].Index}))
		}
		c.SetSlot(uint64(id))
		info.Driver = r.found[i].Driver
		out = append(out, &Slot{id: id, list: l, info: info, card: c})
	}
	return out
}

// Slot returns the slot with an id. Errors: ckr.SlotIDInvalid, and those of
// Slots.
func (l *List) Slot(ctx context.Context, id ID) (*Slot, error) {
	source, reader := int(id>>32), ""
	if source < len(l.hubs) {
		reader = l.hubs[source].readerOf(id & (1<<32 - 1))
	}
	all, err := l.slots(ctx, func(i int, place string) bool { return reader == "" || i == source && place == reader })
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
func (l *List) token(c *engine.Card) (*engine.Token, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed() {
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
		if l.legacy {
			t.AllowLegacy()
		}
		l.tokens[c] = t
	}
	return t, nil
}

func (l *List) isClosed() bool { return l.open.Err() != nil }

// closeTime bounds how long Close waits for cards that do not answer.
const closeTime = 900 * time.Millisecond

// Close ends the application (C_Finalize): all its sessions and logins end.
// With the last application of the Provider the connections are closed; the
// cards are left as they are. Errors: ckr.CryptokiNotInitialized if it was
// closed before.
func (l *List) Close() error {
	l.mu.Lock()
	if l.isClosed() {
		l.mu.Unlock()
		return ckr.New(ckr.CryptokiNotInitialized, "finalise", nil)
	}
	l.end()
	tokens := l.tokens
	l.tokens = nil
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := closeTokens(ctx, tokens)
	var last []*Contents
	for _, h := range l.hubs {
		last = append(last, h.leave()...)
	}
	return errors.Join(err, closeAll(ctx, last))
}

// closeTokens logs out of all tokens at once, so that a reader that hangs does
// not keep the others logged in.
func closeTokens(ctx context.Context, tokens map[*engine.Card]*engine.Token) error {
	ended := make(chan error, len(tokens))
	for _, t := range tokens {
		go func() { ended <- t.Close(ctx) }()
	}
	var errs []error
	for range tokens {
		if err := <-ended; err != nil && ckr.Of(err) != ckr.DeviceRemoved {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// closeAll waits for the contents of all places to close until ctx is done; what
// hangs closes when it can.
func closeAll(ctx context.Context, conns []*Contents) error {
	ended := make(chan error, len(conns))
	for _, c := range conns {
		go func() { ended <- c.Close() }()
	}
	var errs []error
	for range conns {
		select {
		case err := <-ended:
			errs = append(errs, err)
		case <-ctx.Done():
			return errors.Join(append(errs, ckr.New(ckr.DeviceError, "finalise", ctx.Err()))...)
		}
	}
	return errors.Join(errs...)
}
