package myeid

import (
	"crypto/rand"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// Change is one record to write, or to delete if Value is nil.
type Change struct {
	Key   string // a folder and a name: "file/0000002a"
	Value []byte
}

// Store keeps a card's state as records. Commit makes all changes at once, or
// none; when it returns without an error they outlive the process. The card
// clears the values afterwards, for they hold secrets.
type Store interface {
	Commit(changes []Change) error
	Records() (map[string][]byte, error)
}

// Create makes a blank card that is kept in a Store, with what its PINs guard
// sealed by the kit.
func Create(p Persona, s Store, kit seal.Kit) (*Card, error) {
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
func Load(s Store, kit seal.Kit) (*Card, error) {
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
	if c.journal.empty() {
		return nil
	}
	changes, err := c.encodeChanges()
	if err == nil {
		err = c.store.Commit(changes)
	}
	for _, change := range changes {
		clear(change.Value)
	}
	c.journal = journal{on: true}
	if err == nil {
		return nil
	}
	if c.restore() != nil {
		c.broken = true
	}
	c.Reset()
	return err
}

// failed tells whether the card cannot go on at all.
func (c *Card) failed() bool { return c.broken }
