package virtual

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// sight is what a watcher knows of a reader.
type sight struct {
	slot  *slot
	event apdu.Event
}

// Watch begins with the present state and goes on with changes until ctx is
// done or the caller stops. Changes that follow each other faster than the
// caller takes them come as one, with a Count that has grown by as many. It
// yields an error if the service was stopped before; if it is stopped later,
// all readers are gone, and come again with it.
func (p *Provider) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		seen, changed, err := p.look()
		if err != nil {
			yield(apdu.Event{}, err)
			return
		}
		if !yieldInitial(seen, yield) {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
			var now []sight
			now, changed, _ = p.look() // without a service there are no readers
			for _, e := range differences(seen, now) {
				if ctx.Err() != nil || !yield(e, nil) {
					return
				}
			}
			seen = now
		}
	}
}

// look returns the present state, and a channel that is closed when it is no
// longer that.
func (p *Provider) look() ([]sight, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := make([]sight, len(p.slots))
	for i, s := range p.slots {
		e := apdu.Event{Reader: s.name, Count: p.counts[s.name]}
		if s.card != nil {
			e.Present, e.ATR = true, s.card.ATR()
		}
		now[i] = sight{s, e}
	}
	return now, p.changed, p.served()
}

func yieldInitial(seen []sight, yield func(apdu.Event, error) bool) bool {
	if len(seen) == 0 {
		return yield(apdu.Event{Initial: true, Settled: true}, nil)
	}
	for i, s := range seen {
		s.event.Initial = true
		s.event.Settled = i == len(seen)-1
		if !yield(s.event, nil) {
			return false
		}
	}
	return true
}

// differences lists what happened between two looks: readers that went away
// first, then the others in order.
func differences(before, after []sight) (events []apdu.Event) {
	counts := make(map[*slot]uint64, len(before))
	for _, s := range before {
		counts[s.slot] = s.event.Count
	}
	still := make(map[*slot]bool, len(after))
	for _, s := range after {
		still[s.slot] = true
	}
	for _, s := range before {
		if !still[s.slot] {
			count := s.event.Count
			if s.event.Present {
				count++
			}
			events = append(events, apdu.Event{Reader: s.event.Reader, Gone: true, Count: count})
		}
	}
	for _, s := range after {
		if count, known := counts[s.slot]; !known || count != s.event.Count {
			events = append(events, s.event)
		}
	}
	return events
}
