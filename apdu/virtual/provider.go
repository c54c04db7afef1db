package virtual

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Reader is a reader for NewProvider, with or without a card.
type Reader struct {
	Name string
	Card *Card
	Pad  *PINPad // the reader's keys; nil if it has none
}

// Provider is a set of virtual readers. It implements apdu.Provider and is
// safe for concurrent use.
type Provider struct {
	apdu.SharedState

	mu      sync.Mutex
	slots   []*slot
	counts  map[string]uint64 // by reader name: insertions and removals, for ever
	changed chan struct{}     // closed at the next change
	stopped bool              // the service does not run
	parked  []*slot           // the readers of a service that was stopped
}

// slot is one reader.
type slot struct {
	provider *Provider
	name     string
	pad      *PINPad
	card     *Card // nil: empty
}

var (
	errTaken    = errors.New("there is a reader of that name")
	errOccupied = errors.New("there is a card in the reader")
)

// NewProvider returns readers, in the order given. It panics if two have the
// same name, or a card is in two: that is a mistake in the program.
func NewProvider(readers ...Reader) *Provider {
	p := &Provider{counts: make(map[string]uint64), changed: make(chan struct{})}
	for _, r := range readers {
		err := p.add(r)
		if err == nil && r.Card != nil {
			err = p.Insert(r.Name, r.Card)
		}
		if err != nil {
			panic(err)
		}
	}
	return p
}

// Single returns one reader, "Virtual 00", with a card in it.
func Single(card *Card) *Provider {
	return NewProvider(Reader{Name: "Virtual 00", Card: card})
}

// AddReader adds an empty reader.
func (p *Provider) AddReader(name string) error { return p.add(Reader{Name: name}) }

func (p *Provider) add(r Reader) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slot(r.Name) != nil {
		return fmt.Errorf("virtual: reader %q: %w", r.Name, errTaken)
	}
	p.slots = append(p.slots, &slot{provider: p, name: r.Name, pad: r.Pad})
	p.notify()
	return nil
}

// RemoveReader takes a reader away, with the card that is in it. The error
// wraps apdu.ErrNoReader.
func (p *Provider) RemoveReader(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slot(name)
	if s == nil {
		return noReader(name)
	}
	p.takeAway(s)
	return nil
}

// takeAway takes a reader away. The caller holds p.mu.
func (p *Provider) takeAway(s *slot) {
	if s.card != nil {
		p.takeOut(s)
	}
	p.slots = slices.DeleteFunc(p.slots, func(o *slot) bool { return o == s })
	p.notify()
}

// Insert puts a card into an empty reader and powers it. A card can be in one
// reader at a time. The error wraps apdu.ErrNoReader if there is no such.
func (p *Provider) Insert(reader string, card *Card) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.slot(reader)
	if s == nil {
		return noReader(reader)
	}
	if s.card != nil {
		return fmt.Errorf("virtual: reader %q: %w", reader, errOccupied)
	}
	if err := card.enter(s); err != nil {
		return fmt.Errorf("virtual: reader %q: %w", reader, err)
	}
	s.card = card
	p.counts[reader]++
	p.notify()
	return nil
}

// Remove takes the card out of a reader. The connections to it are dead for
// good. The error wraps apdu.ErrNoReader or apdu.ErrNoCard.
func (p *Provider) Remove(reader string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.occupied(reader)
	if err != nil {
		return err
	}
	p.takeOut(s)
	p.notify()
	return nil
}

// Reset resets the card in a reader as a program would that has nothing to do
// with any of the connections: each is told once, by apdu.ErrReset. A command
// that is being executed is finished first. The error wraps apdu.ErrNoReader
// or apdu.ErrNoCard.
func (p *Provider) Reset(reader string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.occupied(reader)
	if err != nil {
		return err
	}
	s.card.reset(nil)
	return nil
}

// Readers lists the names of the readers. The error wraps apdu.ErrNoService
// after StopService.
func (p *Provider) Readers(ctx context.Context) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.served(); err != nil {
		return nil, err
	}
	names := make([]string, len(p.slots))
	for i, s := range p.slots {
		names[i] = s.name
	}
	return names, nil
}

// Connect opens a shared connection to the card in a reader. The error wraps
// apdu.ErrNoReader or apdu.ErrNoCard; apdu.ErrInUse after Hold, and
// apdu.ErrNoService after StopService.
func (p *Provider) Connect(ctx context.Context, reader string) (apdu.Transport, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.served(); err != nil {
		return nil, err
	}
	s, err := p.occupied(reader)
	if err != nil {
		return nil, err
	}
	if s.card.isHeld() {
		return nil, fmt.Errorf("virtual: reader %q: %w", reader, apdu.ErrInUse)
	}
	if s.pad != nil {
		return padTransport{newTransport(s)}, nil
	}
	return newTransport(s), nil
}

// slot finds a reader. The caller holds p.mu.
func (p *Provider) slot(name string) *slot {
	for _, s := range p.slots {
		if s.name == name {
			return s
		}
	}
	return nil
}

// occupied finds a reader with a card. The caller holds p.mu.
func (p *Provider) occupied(name string) (*slot, error) {
	s := p.slot(name)
	switch {
	case s == nil:
		return nil, noReader(name)
	case s.card == nil:
		return nil, fmt.Errorf("virtual: reader %q: %w", name, apdu.ErrNoCard)
	}
	return s, nil
}

func noReader(name string) error { return fmt.Errorf("virtual: reader %q: %w", name, apdu.ErrNoReader) }

// takeOut takes a card out. The caller holds p.mu.
func (p *Provider) takeOut(s *slot) {
	s.card.leave(s)
	s.card = nil
	p.counts[s.name]++
}

// swap takes a card out because of a fault, if it is still there, and puts
// another one in if there is one.
func (p *Provider) swap(s *slot, card *Card) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.card == nil || !slices.Contains(p.slots, s) {
		return
	}
	p.takeOut(s)
	if card != nil && card.enter(s) == nil {
		s.card = card
		p.counts[s.name]++
	}
	p.notify()
}

// unplug takes a reader away because of a fault, if it is still there.
func (p *Provider) unplug(s *slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.slots, s) {
		p.takeAway(s)
	}
}

// notify wakes those who watch. The caller holds p.mu.
func (p *Provider) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}
