package driver

import (
	"context"
	"time"
)

// grace is how long a caller who was cancelled waits for what has to be put
// right at the card: a right given back, an unfinished object removed.
const grace = 50 * time.Millisecond

// Aftermath returns a context for that: it outlives ctx, whose values it has,
// by a moment, which is enough for a card that answers, and keeps nobody waiting
// for one that does not. The function releases what it holds.
func CleanupContext(ctx context.Context) (context.Context, context.CancelFunc) {
	after, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, cancel)
		context.AfterFunc(after, func() { t.Stop() })
	})
	return after, func() {
		stop()
		cancel()
	}
}
