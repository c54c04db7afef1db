package pcsc

import (
	"context"
	"time"
)

// turn is how long a transport has had the card without leaving it to others.
// Programs that use pcsc-lite's library ask every 100 ms whether the card is
// free; one transaction right after the other would keep them out.
type turn struct {
	began, ended time.Time
}

const (
	turnTime  = time.Second
	yieldTime = 120 * time.Millisecond
)

// yield leaves the card alone for a moment if there are others who may want it
// and it was ours for a while.
func (t *transport) yield(ctx context.Context) error {
	now := time.Now()
	if now.Sub(t.turn.ended) >= yieldTime {
		t.turn.began = now
		return nil
	}
	if now.Sub(t.turn.began) < turnTime || !t.shared() {
		return nil
	}
	pause := time.NewTimer(yieldTime)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	t.turn.began = time.Now()
	return nil
}

// shared tells whether somebody else has a connection to the card.
func (t *transport) shared() bool {
	return t.provider.monitor.current().sharing[t.info.Reader] > 1
}
