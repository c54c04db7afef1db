package slot

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// refresh brings the readers up to date and has cards probed that are new. It
// waits for the probes of the readers that the caller cares for. Only one
// caller looks at a time; the others wait for it, though not for its probes.
func (h *Hub) refresh(ctx context.Context, source Source, cares func(reader string) bool) error {
	probes, err := h.start(ctx, source)
	if err != nil {
		return err
	}
	for reader, p := range probes {
		if !cares(reader) {
			continue
		}
		if err := p.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// start looks and begins the probes; it returns those under way.
func (h *Hub) start(ctx context.Context, source Source) (map[string]*probe, error) {
	select {
	case h.looking <- struct{}{}:
		defer func() { <-h.looking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now, err := snapshot(ctx, h.source)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.users == 0 {
		return nil, ckr.New(ckr.CryptokiNotInitialized, "", nil)
	}
	for _, r := range h.update(now) {
		r.probe = h.begin(r, source)
	}
	probes := make(map[string]*probe)
	for name, r := range h.readers {
		if r.probe != nil {
			probes[name] = r.probe
		}
	}
	return probes, nil
}

// snapshot returns the present state of all readers.
func snapshot(ctx context.Context, s Source) ([]apdu.Event, error) {
	var now []apdu.Event
	for e, err := range s.Watch(ctx) {
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
// card that has not been probed. The caller holds h.mu.
func (h *Hub) update(now []apdu.Event) (fresh []*reader) {
	seen := make(map[string]bool, len(now))
	for _, e := range now {
		seen[e.Reader] = true
		r := h.readers[e.Reader]
		if r == nil {
			r = &reader{name: e.Reader}
			h.readers[e.Reader] = r
			h.order = append(h.order, e.Reader)
		}
		r.observe(e)
		if r.present && r.in == nil && r.probe == nil && !errors.Is(r.err, ckr.TokenNotRecognized) {
			fresh = append(fresh, r)
		}
	}
	for name, r := range h.readers {
		if !seen[name] {
			h.drop(r)
		}
	}
	return fresh
}

// observe takes note of the state of a reader, unless a later one is known. A card
// that is not the one that was in it is ejected.
func (r *reader) observe(e apdu.Event) {
	if e.Count < r.count {
		return
	}
	if !e.Present || e.Count != r.count || r.in != nil && !r.in.Alive() {
		r.eject()
	}
	r.present, r.atr, r.count = e.Present, e.ATR, e.Count
}

// drop forgets a reader that went away. The caller holds h.mu.
func (h *Hub) drop(r *reader) {
	r.eject()
	delete(h.readers, r.name)
	order := h.order[:0]
	for _, name := range h.order {
		if h.readers[name] != nil {
			order = append(order, name)
		}
	}
	h.order = order
}
