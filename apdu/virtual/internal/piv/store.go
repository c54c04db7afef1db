package piv

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// The records: one head, and one for each PIN, key and object.
const (
	// HeadRecord is there if a Store holds such a card.
	HeadRecord   = "piv/head"
	pinFolder    = "pivpin/"
	keyFolder    = "pivkey/"
	objectFolder = "pivdata/"
	sealedFolder = "pivsealed/" // objects that the PIN guards
)

type headImage struct {
	ID         []byte
	Pair       []byte  // the public half
	Persona    Persona // without PINs, but in version 1
	Management managementImage
	Root       []byte
}

type managementImage struct {
	Algorithm Algorithm
	Key       []byte
	Touch     byte
	Changed   bool
}

type pinImage struct {
	Code       []byte     `json:",omitempty"` // version 1
	Lock       *seal.Lock `json:",omitempty"`
	Left, Most byte
	Changed    bool
}

// keyImage is a key, in clear if the card uses it without the PIN, and in
// version 1.
type keyImage struct {
	PKCS8      []byte  `json:",omitempty"`
	Public     []byte  `json:",omitempty"` // SubjectPublicKeyInfo
	Private    *sealed `json:",omitempty"`
	PIN, Touch byte
	Generated  bool
}

// journal is what a command changed and has not been committed. With no Store
// behind the card it stays off and costs nothing.
type journal struct {
	on      bool
	head    bool
	pins    map[byte]bool
	keys    map[byte]bool
	objects map[uint32]bool
}

func (j *journal) pin(ref byte)      { note(j.on, &j.pins, ref) }
func (j *journal) key(ref byte)      { note(j.on, &j.keys, ref) }
func (j *journal) object(tag uint32) { note(j.on, &j.objects, tag) }

func note[K comparable](on bool, set *map[K]bool, k K) {
	if !on {
		return
	}
	if *set == nil {
		*set = make(map[K]bool)
	}
	(*set)[k] = true
}

func (j *journal) empty() bool {
	return !j.on || !j.head && len(j.pins)+len(j.keys)+len(j.objects) == 0
}

// Create makes a card that is kept in a Store, with what its PIN guards sealed
// by the kit, and filled by fill if that is not nil.
func Create(p Persona, s record.Store, kit seal.Kit, fill func(*Card) error) (*Card, error) {
	c := &Card{persona: p, store: s, kit: kit, id: random(idLength)}
	c.journal.on = true
	c.format()
	if fill != nil {
		if err := fill(c); err != nil {
			return nil, err
		}
	}
	c.Reset()
	if err := c.commit(); err != nil {
		return nil, err
	}
	return c, nil
}

const idLength = 16

// Load makes a card from what a Store has kept. What the PIN guards is known
// once it is given.
func Load(s record.Store, kit seal.Kit) (*Card, error) {
	c := &Card{store: s, kit: kit}
	if err := c.restore(); err != nil {
		return nil, fmt.Errorf("piv: %w", err)
	}
	return c, nil
}

// Rewrite keeps the whole card anew. It brings a card whose records were made
// before they were sealed to the present form.
func (c *Card) Rewrite() error {
	c.journal.head = true
	for ref := range c.pins {
		c.journal.pin(ref)
	}
	for ref := range c.keys {
		c.journal.key(ref)
	}
	for tag := range c.objects {
		c.journal.object(tag)
	}
	return c.commit()
}

// commit hands what has changed to the Store. If that fails the card goes back
// to what the Store has: a command that could not be kept has not happened.
func (c *Card) commit() error {
	if c.broken != nil || c.journal.empty() {
		return c.broken
	}
	err := c.encodeChanges().Commit(c.store)
	c.journal = journal{on: true}
	if err != nil && c.restore() != nil {
		c.broken = err
	}
	return err
}
