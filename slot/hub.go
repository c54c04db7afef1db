package slot

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// Hub holds the readers and cards of one Provider for all applications of the
// process.
type Hub struct {
	provider apdu.Provider

	looking chan struct{} // held by the one that looks; capacity 1
	mu      sync.Mutex
	users   int
	readers map[string]*reader
	order   []string
	ids     map[place]ID
	last    ID
}

// place is what a slot id stands for.
type place struct {
	reader string
	driver string // empty for the reader's first slot
	index  int
}

// reader is one reader and the card in it.
type reader struct {
	name    string
	atr     []byte
	present bool
	count   uint64
	conn    *apdu.Conn
	driver  string
	cards   []*token.Card
	err     error // why the card has no token
}

type hubKey struct{}

func hubOf(p apdu.Provider) *Hub {
	return p.Shared().Value(hubKey{}, func() any {
		return &Hub{
			provider: p, looking: make(chan struct{}, 1),
			readers: make(map[string]*reader), ids: make(map[place]ID),
		}
	}).(*Hub)
}

// id returns the id of a place, a new one at first sight. The caller holds
// h.mu.
func (h *Hub) id(p place) ID {
	id, ok := h.ids[p]
	if !ok {
		h.last++
		id = h.last
		h.ids[p] = id
	}
	return id
}

// look brings the readers up to date and probes cards that are new. Only one
// caller looks at a time; the others wait for it.
func (h *Hub) look(ctx context.Context, drivers []token.Driver, opts []apdu.Option) error {
	select {
	case h.looking <- struct{}{}:
		defer func() { <-h.looking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	now, err := snapshot(ctx, h.provider)
	if err != nil {
		return err
	}
	for _, r := range h.update(now) {
		if err := h.probe(ctx, r, drivers, opts); err != nil {
			return err
		}
	}
	return nil
}

// snapshot returns the present state of all readers.
func snapshot(ctx context.Context, p apdu.Provider) ([]apdu.Event, error) {
	var now []apdu.Event
	for e, err := range p.Watch(ctx) {
		if err != nil {
			return nil, err
		}
		if !e.Initial {
			break
		}
		if e.Reader != "" {
			now = append(now, e)
		}
		if e.Settled {
			break
		}
	}
	return now, ctx.Err()
}

// update compares the readers with what was known and returns those with a
// card that has not been probed.
func (h *Hub) update(now []apdu.Event) (fresh []*reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := make(map[string]bool, len(now))
	for _, e := range now {
		seen[e.Reader] = true
		r := h.readers[e.Reader]
		if r == nil {
			r = &reader{name: e.Reader}
			h.readers[e.Reader] = r
			h.order = append(h.order, e.Reader)
		}
		if !e.Present || e.Count != r.count || r.conn != nil && !r.conn.Alive() {
			r.eject()
		}
		r.present, r.atr, r.count = e.Present, e.ATR, e.Count
		if r.present && r.conn == nil && !errors.Is(r.err, ckr.TokenNotRecognized) {
			fresh = append(fresh, r)
		}
	}
	for name, r := range h.readers {
		if !seen[name] {
			r.eject()
			delete(h.readers, name)
		}
	}
	order := h.order[:0]
	for _, name := range h.order {
		if h.readers[name] != nil {
			order = append(order, name)
		}
	}
	h.order = order
	return fresh
}

// eject forgets the card of a reader; its sessions end.
func (r *reader) eject() {
	for _, c := range r.cards {
		c.Gone()
	}
	if r.conn != nil {
		go r.conn.Close() // it may wait for an exchange that hangs
	}
	r.conn, r.cards, r.err, r.driver = nil, nil, nil, ""
	r.present = false
}

// probe connects to a card and lets the drivers look at it, in their order. A
// card that cannot be read keeps the reason; the other readers live on. Only
// the caller's own cancellation is an error.
func (h *Hub) probe(ctx context.Context, r *reader, drivers []token.Driver, opts []apdu.Option) error {
	conn, err := apdu.Dial(ctx, h.provider, r.name, opts...)
	if err != nil {
		return h.settle(ctx, r, nil, "", nil, err)
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
		if len(backends) > 0 {
			return h.settle(ctx, r, conn, d.Name, backends, nil)
		}
	}
	conn.Close()
	if failed == nil {
		failed = ckr.Newf(ckr.TokenNotRecognized, "", "no driver knows the card")
	}
	return h.settle(ctx, r, nil, "", nil, failed)
}

func (h *Hub) settle(ctx context.Context, r *reader, conn *apdu.Conn, driver string, backends []token.Backend, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // not probed: the next look tries again
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r.conn, r.driver, r.err = conn, driver, err
	if errors.Is(err, apdu.ErrNoCard) || errors.Is(err, apdu.ErrRemoved) {
		r.present, r.err = false, nil
		return nil
	}
	for _, b := range backends {
		r.cards = append(r.cards, token.NewCard(b))
	}
	return nil
}

// join and leave count the applications; with the last one the connections
// are closed.
func (h *Hub) join() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
}

func (h *Hub) leave() (last []*apdu.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	if h.users > 0 {
		return nil
	}
	for _, r := range h.readers {
		if r.conn != nil {
			last = append(last, r.conn)
		}
		r.conn = nil
		r.eject()
	}
	h.readers = make(map[string]*reader)
	h.order = nil
	return last
}
