package piv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// restore replaces the card's lasting state by what the Store has.
func (c *Card) restore() error {
	fresh := &Card{store: c.store, kit: c.kit, touch: c.touch}
	fresh.pins, fresh.keys = make(map[byte]*pin), make(map[byte]*key)
	fresh.objects, fresh.closed = make(map[uint32][]byte), make(map[uint32]sealed)
	if err := record.Read(c.store, fresh.decode); err != nil {
		return err
	}
	fresh.inherit(c)
	fresh.journal.on = true
	fresh.Reset()
	*c = *fresh
	return nil
}

func (c *Card) decode(records map[string][]byte) error {
	for name, value := range records {
		if err := c.decodeRecord(name, value); err != nil {
			return fmt.Errorf("record %s: %w", name, err)
		}
	}
	return c.whole()
}

// whole checks what the records are together.
func (c *Card) whole() error {
	if c.pins[refPIN] == nil || c.pins[refPUK] == nil || c.management.key == nil {
		return errors.New("records are missing")
	}
	for ref, p := range c.pins {
		if p.lock != nil && c.pair == nil {
			return fmt.Errorf("PIN %02X is of no pair", ref)
		}
	}
	for ref, k := range c.keys {
		k.pin = k.pinPolicy(ref)
		if k.closed != nil && (c.pair == nil || !k.guarded(ref) || k.closed.Slot != ref && !c.persona.Yubico) {
			return fmt.Errorf("key %02X is not sealed for its place", ref)
		}
	}
	if len(c.closed) > 0 && c.pair == nil {
		return errors.New("objects are sealed to no pair")
	}
	return nil
}

// inherit takes over what an earlier state of the same card knew of its PINs.
func (c *Card) inherit(from *Card) {
	if c.pair == nil || !from.pair.Unlocked() || !bytes.Equal(c.pair.Public(), from.pair.Public()) {
		return
	}
	c.pair = from.pair
	for ref, p := range c.pins {
		old := from.pins[ref]
		if old != nil && old.known && old.lock != nil && p.lock != nil && bytes.Equal(old.lock.Salt, p.lock.Salt) {
			p.known, p.code, p.lock = true, old.code, old.lock
		}
	}
	c.unseal()
}

var errRecord = errors.New("it cannot be read")

// decodeRecord takes one record; those of other applications are passed over.
func (c *Card) decodeRecord(name string, value []byte) error {
	folder, number, _ := strings.Cut(name, "/")
	n, err := strconv.ParseUint(number, 16, 24)
	if name != HeadRecord && strings.HasPrefix(folder, "piv") && err != nil {
		return errRecord
	}
	switch folder + "/" {
	case "piv/":
		if name != HeadRecord {
			return errRecord
		}
		return c.decodeHead(value)
	case pinFolder:
		return c.decodePIN(byte(n), value)
	case keyFolder:
		return c.decodeKey(byte(n), value)
	case objectFolder:
		c.objects[uint32(n)] = bytes.Clone(value)
	case sealedFolder:
		var s sealed
		if json.Unmarshal(value, &s) != nil || !guarded[uint32(n)] || s.Length < 0 || s.Length > len(s.Sealed) {
			return errRecord
		}
		c.closed[uint32(n)] = s
	}
	return nil
}

func (c *Card) decodeHead(value []byte) (err error) {
	var h headImage
	if json.Unmarshal(value, &h) != nil {
		return errRecord
	}
	m := h.Management
	if _, ok := m.Algorithm.block(m.Key); !ok {
		return errRecord
	}
	c.persona, c.root = h.Persona, h.Root
	c.management = managementKey{m.Algorithm, m.Key, m.Touch, m.Changed}
	if c.id = h.ID; c.id == nil {
		c.id = random(idLength) // version 1
	}
	if h.Pair != nil {
		c.pair, err = seal.ParsePair(h.Pair)
	}
	return err
}

func (c *Card) decodePIN(ref byte, value []byte) error {
	var i pinImage
	if json.Unmarshal(value, &i) != nil {
		return errRecord
	}
	p := &pin{left: i.Left, most: i.Most, changed: i.Changed}
	switch {
	case len(i.Code) == pinLength:
		p.set(i.Code)
		clear(i.Code)
	case i.Lock.Valid():
		p.lock = i.Lock
	default:
		return errRecord
	}
	c.pins[ref] = p
	return nil
}

func (c *Card) decodeKey(ref byte, value []byte) (err error) {
	var i keyImage
	if json.Unmarshal(value, &i) != nil {
		return errRecord
	}
	var k *key
	if i.PKCS8 != nil {
		k, err = parseKey(i.PKCS8)
		clear(i.PKCS8)
	} else {
		k, err = closedKey(i)
	}
	if err != nil {
		return errRecord
	}
	k.pin, k.touch, k.generated = i.PIN, i.Touch, i.Generated
	c.keys[ref] = k
	return nil
}
