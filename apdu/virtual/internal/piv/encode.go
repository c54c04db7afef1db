package piv

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// encoder collects records.
type encoder struct {
	changes []Change
	err     error
}

func (e *encoder) put(key string, v any) {
	value, err := json.Marshal(v)
	e.err = errors.Join(e.err, err)
	e.changes = append(e.changes, Change{key, value})
}

func (e *encoder) drop(key string) { e.changes = append(e.changes, Change{Key: key}) }

// encodeChanges turns the journal into records.
func (c *Card) encodeChanges() ([]Change, error) {
	var e encoder
	if c.pair == nil {
		if c.pair, e.err = seal.NewPair(); e.err != nil {
			return nil, e.err
		}
		c.journal.head = true
	}
	if c.journal.head {
		e.put(HeadRecord, c.headImage())
	}
	for ref := range c.journal.pins {
		c.encodePIN(&e, ref)
	}
	for ref := range c.journal.keys {
		c.encodeKey(&e, ref)
	}
	for tag := range c.journal.objects {
		c.encodeObject(&e, tag)
	}
	return e.changes, e.err
}

// headImage leaves out the PINs that the card was made with, which may still
// be those that it has.
func (c *Card) headImage() headImage {
	p, m := c.persona, c.management
	p.PIN, p.PUK, p.GlobalPIN = "", "", ""
	return headImage{c.id, c.pair.Public(), p, managementImage{m.algorithm, m.key, m.touch, m.changed}, c.root}
}

func (c *Card) encodePIN(e *encoder, ref byte) {
	p := c.pins[ref]
	if p.lock == nil {
		private := c.pair.Private()
		defer clear(private)
		if private == nil || !p.known {
			e.err = errors.Join(e.err, errUnknown)
			return
		}
		p.lock = c.kit.Close(p.code[:], private, c.pinLabel(ref))
	}
	e.put(fmt.Sprintf("%s%02x", pinFolder, ref), pinImage{Lock: p.lock, Left: p.left, Most: p.most, Changed: p.changed})
}

func (c *Card) encodeKey(e *encoder, ref byte) {
	name := fmt.Sprintf("%s%02x", keyFolder, ref)
	k, there := c.keys[ref]
	if !there {
		e.drop(name)
		return
	}
	i, err := c.sealKey(ref, k)
	e.err = errors.Join(e.err, err)
	e.put(name, i)
}

func (c *Card) encodeObject(e *encoder, tag uint32) {
	open, closed := fmt.Sprintf("%s%06x", objectFolder, tag), fmt.Sprintf("%s%06x", sealedFolder, tag)
	raw := c.objects[tag]
	if raw == nil || !guarded[tag] {
		e.changes = append(e.changes, Change{open, slices.Clone(raw)}, Change{Key: closed})
		return
	}
	box, err := c.pair.Seal(raw, c.objectLabel(tag))
	e.err = errors.Join(e.err, err)
	e.drop(open)
	e.put(closed, sealed{Length: len(raw), Sealed: box})
}
