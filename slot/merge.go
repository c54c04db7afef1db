package slot

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// change is an event of one of a List's sources.
type change struct {
	source int
	apdu.Event
}

// watch yields what happens in all sources: first the present state of each, of
// which the last event is Settled, then the changes as they come. It ends with
// the first source that ends.
func (l *List) watch(ctx context.Context) iter.Seq2[change, error] {
	if len(l.hubs) == 1 {
		return func(yield func(change, error) bool) {
			for e, err := range l.hubs[0].source.Watch(ctx) {
				if !yield(change{0, e}, err) || err != nil {
					return
				}
			}
		}
	}
	return func(yield func(change, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		next := make([]func() (apdu.Event, error, bool), len(l.hubs))
		for i, h := range l.hubs {
			n, stop := iter.Pull2(h.source.Watch(ctx))
			next[i] = n
			last := i == len(l.hubs)-1
			for settled := false; !settled; {
				e, err, ok := n()
				if !ok {
					stop()
					return
				}
				settled = e.Settled
				e.Settled = e.Settled && last
				if !yield(change{i, e}, err) || err != nil {
					cancel()
					stop()
					return
				}
			}
			defer stop()
		}
		l.changes(ctx, cancel, next, yield)
	}
}

// changes yields what each source tells after its state. It ends when all that
// wait for one have ended.
func (l *List) changes(ctx context.Context, cancel func(), next []func() (apdu.Event, error, bool), yield func(change, error) bool) {
	type told struct {
		change
		err error
		ok  bool
	}
	events := make(chan told)
	for i, n := range next {
		go func() {
			for {
				e, err, ok := n()
				events <- told{change{i, e}, err, ok}
				if !ok || err != nil {
					return
				}
			}
		}()
	}
	open, stopped := len(next), false
	for open > 0 {
		t := <-events
		if !t.ok || t.err != nil {
			open--
		}
		if t.ok && !stopped && !yield(t.change, t.err) || !t.ok || t.err != nil {
			stopped = true
			cancel()
		}
	}
}
