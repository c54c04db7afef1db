package piv

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Change is one record to write, or to delete if Value is nil.
type Change struct {
	Key   string // a folder and a name: "pivkey/9a"
	Value []byte
}

// Store keeps a card's state as records. Commit makes all changes at once, or
// none; when it returns without an error they outlive the process. The card
// clears the values afterwards, for they hold secrets.
type Store interface {
	Commit(changes []Change) error
	Records() (map[string][]byte, error)
}

// The records: one head, and one for each PIN, key and object.
const (
	// HeadRecord is there if a Store holds such a card.
	HeadRecord   = "piv/head"
	pinFolder    = "pivpin/"
	keyFolder    = "pivkey/"
	objectFolder = "pivdata/"
)

type headImage struct {
	Persona    Persona
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
	Code       []byte
	Left, Most byte
	Changed    bool
}

type keyImage struct {
	PKCS8      []byte
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

// Create makes a card that is kept in a Store, filled by fill if that is not
// nil.
func Create(p Persona, s Store, fill func(*Card) error) (*Card, error) {
	c := &Card{persona: p, store: s}
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

// Load makes a card from what a Store has kept.
func Load(s Store) (*Card, error) {
	c := &Card{store: s}
	if err := c.restore(); err != nil {
		return nil, fmt.Errorf("piv: %w", err)
	}
	return c, nil
}

// commit hands what has changed to the Store. If that fails the card goes back
// to what the Store has: a command that could not be kept has not happened.
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
	if err != nil && c.restore() != nil {
		c.broken = true
	}
	return err
}

// encodeChanges turns the journal into records.
func (c *Card) encodeChanges() (changes []Change, err error) {
	put := func(key string, there bool, v any) {
		if !there {
			changes = append(changes, Change{Key: key})
			return
		}
		value, e := json.Marshal(v)
		err = errors.Join(err, e)
		changes = append(changes, Change{key, value})
	}
	if c.journal.head {
		m := c.management
		put(HeadRecord, true, headImage{c.persona, managementImage{m.algorithm, m.key, m.touch, m.changed}, c.root})
	}
	for ref := range c.journal.pins {
		p := c.pins[ref]
		put(fmt.Sprintf("%s%02x", pinFolder, ref), true, pinImage{p.code[:], p.left, p.most, p.changed})
	}
	for ref := range c.journal.keys {
		k, there := c.keys[ref]
		if !there {
			k = &key{}
		}
		put(fmt.Sprintf("%s%02x", keyFolder, ref), there, keyImage{k.pkcs8, k.pin, k.touch, k.generated})
	}
	for tag := range c.journal.objects {
		changes = append(changes, Change{fmt.Sprintf("%s%06x", objectFolder, tag), slices.Clone(c.objects[tag])})
	}
	return changes, err
}

// restore replaces the card's lasting state by what the Store has.
func (c *Card) restore() error {
	records, err := c.store.Records()
	if err != nil {
		return err
	}
	fresh := &Card{store: c.store, touch: c.touch}
	fresh.pins, fresh.keys, fresh.objects = make(map[byte]*pin), make(map[byte]*key), make(map[uint32][]byte)
	for name, value := range records {
		if err := fresh.decode(name, value); err != nil {
			return fmt.Errorf("record %s: %w", name, err)
		}
		if !strings.HasPrefix(name, objectFolder) {
			clear(value)
		}
	}
	if fresh.pins[refPIN] == nil || fresh.pins[refPUK] == nil || fresh.management.key == nil {
		return errors.New("records are missing")
	}
	fresh.journal.on = true
	fresh.Reset()
	*c = *fresh
	return nil
}

var errRecord = errors.New("it cannot be read")

// decode takes one record; those of other applications are passed over.
func (c *Card) decode(name string, value []byte) error {
	folder, number, _ := strings.Cut(name, "/")
	n, err := strconv.ParseUint(number, 16, 24)
	if name != HeadRecord && strings.HasPrefix(folder, "piv") && err != nil {
		return errRecord
	}
	switch folder + "/" {
	case "piv/":
		var h headImage
		if name != HeadRecord || json.Unmarshal(value, &h) != nil {
			return errRecord
		}
		m := h.Management
		if _, ok := m.Algorithm.block(m.Key); !ok {
			return errRecord
		}
		c.persona, c.root = h.Persona, h.Root
		c.management = managementKey{m.Algorithm, m.Key, m.Touch, m.Changed}
	case pinFolder:
		var i pinImage
		if json.Unmarshal(value, &i) != nil || len(i.Code) != pinLength {
			return errRecord
		}
		p := &pin{left: i.Left, most: i.Most, changed: i.Changed}
		p.set(i.Code)
		c.pins[byte(n)] = p
	case keyFolder:
		var i keyImage
		if json.Unmarshal(value, &i) != nil {
			return errRecord
		}
		k, err := parseKey(i.PKCS8)
		if err != nil {
			return errRecord
		}
		k.pin, k.touch, k.generated = i.PIN, i.Touch, i.Generated
		c.keys[byte(n)] = k
	case objectFolder:
		c.objects[uint32(n)] = value
	}
	return nil
}
