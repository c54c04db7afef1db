package pcsc

import (
	"context"
	"time"
)

// backoff waits ever longer for what another program holds.
type backoff struct{ next time.Duration }

const (
	backoffFirst = time.Millisecond
	backoffLast  = 20 * time.Millisecond
)

// wait waits, or returns the error of ctx.
func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(2*b.next, backoffFirst), backoffLast)
	t := time.NewTimer(b.next)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
