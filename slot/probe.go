package slot

import (
	"context"
	"errors"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/engine"
)

// probe is a look at a card that is new. It goes on when nobody waits for it:
// a reader that hangs is in quarantine until it answers, and the others live
// on.
type probe struct {
	done chan struct{} // closed at its end
	late chan struct{} // closed when nobody is to wait any more
}

// patience is how long callers wait for a card to be recognised.
const patience = 10 * time.Second

// begin starts the probe of a reader's card. The caller holds h.mu.
func (h *Hub) begin(r *reader, source Source) *probe {
	p := &probe{make(chan struct{}), make(chan struct{})}
	ctx := h.ctx
	go func() {
		overdue := time.AfterFunc(patience, func() { close(p.late) })
		defer overdue.Stop()
		defer close(p.done)
		h.probe(ctx, r, p, source)
	}()
	return p
}

// wait waits for the end of the probe, but not for a reader that hangs.
func (p *probe) wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-p.late:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// busy says why there is no token while a probe is under way.
var errProbing = errors.New("the card has not answered yet")

// probe has the source look at what is in a place. What cannot be read keeps the
// reason.
func (h *Hub) probe(ctx context.Context, r *reader, p *probe, source Source) {
	in, err := source.Open(ctx, r.name)
	h.settle(r, p, in, err)
}

// settle keeps what a probe has found, unless the card has been ejected.
func (h *Hub) settle(r *reader, p *probe, in *Contents, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.probe != p {
		if in != nil {
			go in.Close()
		}
		return
	}
	r.probe = nil
	r.in, r.err = in, err
	if errors.Is(err, apdu.ErrNoCard) || errors.Is(err, apdu.ErrRemoved) {
		r.present, r.err = false, nil
		return
	}
	if in == nil {
		return
	}
	r.found = in.Tokens
	for _, f := range r.found {
		r.cards = append(r.cards, engine.NewCard(f.Backend, r.name))
	}
}
