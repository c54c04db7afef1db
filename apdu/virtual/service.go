package virtual

import (
	"fmt"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// StopService ends the smart card service, as its crash does. All connections
// are dead, and until StartService there are no readers: Readers and Connect
// fail with apdu.ErrNoService. A second call does nothing.
func (p *Provider) StopService() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.stopped = true
	for _, s := range p.slots {
		if s.card != nil {
			s.card.leave(s)
			p.counts[s.name]++
		}
	}
	p.parked, p.slots = p.slots, nil
	p.notify()
}

// StartService starts it again. The readers come back with their cards, which
// were without power; connections do not. It does nothing if the service runs.
func (p *Provider) StartService() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		return
	}
	p.stopped = false
	for _, old := range p.parked {
		s := &slot{provider: p, name: old.name, pad: old.pad}
		if old.card != nil && old.card.enter(s) == nil {
			s.card = old.card
			p.counts[s.name]++
		}
		p.slots = append(p.slots, s)
	}
	p.parked = nil
	p.notify()
}

// Hold has another program take the card in a reader for itself alone, until
// release is called or the card is taken out: Connect, and whatever the
// connections that there are ask of the card, fail with apdu.ErrInUse. The
// error wraps apdu.ErrNoReader or apdu.ErrNoCard.
func (p *Provider) Hold(reader string) (release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.occupied(reader)
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(s.card.hold()), nil
}

// hold marks the card as held and returns what ends that.
func (c *Card) hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held++
	stay := c.stay
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stay == stay {
			c.held--
		}
	}
}

// isHeld tells whether another program has the card for itself alone.
func (c *Card) isHeld() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held > 0
}

// served checks that the service runs. The caller holds p.mu.
func (p *Provider) served() error {
	if p.stopped {
		return fmt.Errorf("virtual: %w", apdu.ErrNoService)
	}
	return nil
}
