package slot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/token/driver"
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
func (h *Hub) begin(r *reader, drivers []driver.Driver, opts []apdu.Option) *probe {
	p := &probe{make(chan struct{}), make(chan struct{})}
	ctx := h.ctx
	go func() {
		overdue := time.AfterFunc(patience, func() { close(p.late) })
		defer overdue.Stop()
		defer close(p.done)
		h.probe(ctx, r, p, drivers, opts)
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

// probe connects to a card and lets the drivers look at it, in their order. A
// card that cannot be read keeps the reason.
func (h *Hub) probe(ctx context.Context, r *reader, p *probe, drivers []driver.Driver, opts []apdu.Option) {
	conn, err := apdu.Dial(ctx, h.provider, r.name, opts...)
	if err != nil {
		h.settle(r, p, nil, nil, err)
		return
	}
	found, err := recognise(ctx, conn, drivers)
	if err != nil {
		conn.Close()
		conn = nil
	}
	h.settle(r, p, conn, found, err)
}

// recognised is a token as a driver found it on a card.
type recognised struct {
	driver  string
	index   int // among the driver's
	backend driver.Backend
}

// recognise asks all drivers: a card may have applications of several
// families. Where one has found tokens, another's failure does not count.
func recognise(ctx context.Context, conn *apdu.Conn, drivers []driver.Driver) (found []recognised, err error) {
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
			found = append(found, recognised{d.Name, i, b})
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

// settle keeps what a probe has found, unless the card has been ejected.
func (h *Hub) settle(r *reader, p *probe, conn *apdu.Conn, found []recognised, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.probe != p {
		if conn != nil {
			go conn.Close()
		}
		return
	}
	r.probe = nil
	r.conn, r.found, r.err = conn, found, err
	if errors.Is(err, apdu.ErrNoCard) || errors.Is(err, apdu.ErrRemoved) {
		r.present, r.err = false, nil
		return
	}
	for _, f := range found {
		r.cards = append(r.cards, engine.NewCard(f.backend, r.name))
	}
}
