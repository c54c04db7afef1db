package pcsc

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Provider is the readers of the machine. It implements apdu.Provider and is
// safe for concurrent use. While nobody watches and no card is connected, it
// has neither goroutines nor connections to the service.
type Provider struct {
	apdu.SharedState
	service service
	monitor monitor
}

var _ apdu.Provider = (*Provider)(nil)

// Option changes how Open opens a Provider.
type Option func(*config)

type config struct{ socket string }

// WithSocket has the pcscd spoken to that listens at a socket, whatever the
// system's own service is.
func WithSocket(path string) Option { return func(c *config) { c.socket = path } }

// Open returns the readers of the machine. The service is not reached yet. The
// error wraps apdu.ErrNoService if the program was built without a way to it.
func Open(opts ...Option) (*Provider, error) {
	var c config
	for _, o := range opts {
		o(&c)
	}
	if c.socket != "" {
		return newProvider(daemon{c.socket}), nil
	}
	s, err := defaultService()
	if err != nil {
		return nil, err
	}
	return newProvider(s), nil
}

func newProvider(s service) *Provider {
	p := &Provider{service: s}
	p.monitor.init(s)
	return p
}

// Readers lists the names of the readers. The error wraps apdu.ErrNoService.
func (p *Provider) Readers(ctx context.Context) ([]string, error) {
	p.monitor.acquire()
	defer p.monitor.release()
	v, err := p.monitor.refresh(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(v.readers))
	for i, e := range v.readers {
		names[i] = e.Reader
	}
	return names, nil
}

// Watch begins with the present state and goes on with changes until ctx is
// done or the caller stops. It yields an error if the service cannot be reached
// at first. If it goes away later, all readers are gone, and come again with
// it. Changes that follow each other faster than the caller takes them come as
// one, with a Count that has grown by as many.
func (p *Provider) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		p.monitor.acquire()
		defer p.monitor.release()
		seen, err := p.monitor.refresh(ctx)
		if err != nil {
			if ctx.Err() == nil {
				yield(apdu.Event{}, err)
			}
			return
		}
		if !yieldInitial(seen.readers, yield) {
			return
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-seen.changed:
			}
			now := p.monitor.current()
			for _, e := range differences(seen.readers, now.readers) {
				if ctx.Err() != nil || !yield(e, nil) {
					return
				}
			}
			seen = now
		}
	}
}

func yieldInitial(readers []apdu.Event, yield func(apdu.Event, error) bool) bool {
	if len(readers) == 0 {
		return yield(apdu.Event{Initial: true, Settled: true}, nil)
	}
	for i, e := range readers {
		e.Initial, e.Settled = true, i == len(readers)-1
		if !yield(e, nil) {
			return false
		}
	}
	return true
}

// differences lists what happened between two looks: readers that went away
// first, then the others in order.
func differences(before, after []apdu.Event) (events []apdu.Event) {
	counts := make(map[string]uint64, len(before))
	for _, e := range before {
		counts[e.Reader] = e.Count
	}
	still := make(map[string]bool, len(after))
	for _, e := range after {
		still[e.Reader] = true
	}
	for _, e := range before {
		if !still[e.Reader] {
			if e.Present {
				e.Count++
			}
			events = append(events, apdu.Event{Reader: e.Reader, Gone: true, Count: e.Count})
		}
	}
	for _, e := range after {
		if count, known := counts[e.Reader]; !known || count != e.Count {
			events = append(events, e)
		}
	}
	return events
}
