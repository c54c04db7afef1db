package myeid

import (
	"fmt"
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

// Create makes a blank card that is kept in a Store.
func Create(p Persona, s Store) (*Card, error) {
	c := &Card{persona: p, store: s, counter: 1, nextUID: 1}
	c.journal.on = true
	c.format(mfACL, appACL)
	c.Reset()
	if err := c.commit(); err != nil {
		return nil, err
	}
	return c, nil
}

// Load makes a card from what a Store has kept.
func Load(s Store) (*Card, error) {
	c := &Card{store: s}
	if err := c.restore(); err != nil {
		return nil, fmt.Errorf("myeid: %w", err)
	}
	c.Reset()
	return c, nil
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
