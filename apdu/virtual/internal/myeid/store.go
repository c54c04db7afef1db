package myeid

import (
	"crypto/rand"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// Create makes a blank card that is kept in a Store, with what its PINs guard
// sealed by the kit.
func Create(p Persona, s record.Store, kit seal.Kit) (*Card, error) {
	c := &Card{persona: p, store: s, kit: kit, counter: 1, nextUID: 1, id: newID()}
	c.journal.on = true
	c.format(mfACL, appACL)
	c.Reset()
	if err := c.commit(); err != nil {
		return nil, err
	}
	return c, nil
}

func newID() []byte {
	id := make([]byte, 16)
	rand.Read(id)
	return id
}

// Load makes a card from what a Store has kept. What PINs guard is known once
// they are given.
func Load(s record.Store, kit seal.Kit) (*Card, error) {
	c := &Card{store: s, kit: kit}
	if err := c.restore(); err != nil {
		return nil, fmt.Errorf("myeid: %w", err)
	}
	c.Reset()
	return c, nil
}

// Rewrite keeps the whole card anew. It brings a card whose records were made
// before they were sealed to the present form.
func (c *Card) Rewrite() error {
	c.journal.head = true
	for ref := range c.pins {
		if c.pins[ref].set {
			c.journal.pin(ref)
		}
	}
	c.root.walk(func(f *file) {
		c.journal.header(f)
		switch {
		case f.isEF():
			c.journal.content(f)
		case f.holdsKey():
			c.journal.key(f)
		}
	})
	return c.commit()
}

// commit hands what has changed to the Store. If that fails the card goes
// back to what the Store has: a command that could not be kept has not
// happened.
func (c *Card) commit() error {
	if c.broken != nil || c.journal.empty() {
		return c.broken
	}
	err := c.encodeChanges().Commit(c.store)
	c.journal = journal{on: true}
	if err == nil {
		return nil
	}
	if c.restore() != nil {
		c.broken = err
	}
	c.Reset()
	return err
}
