package piv

import (
	"fmt"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// encodeChanges turns the journal into records.
func (c *Card) encodeChanges() *record.Encoder {
	var e record.Encoder
	if c.pair == nil {
		var err error
		if c.pair, err = seal.NewPair(); err != nil {
			e.Fail(err)
			return &e
		}
		c.journal.head = true
	}
	if c.journal.head {
		e.Put(HeadRecord, c.headImage())
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
	return &e
}

// headImage leaves out the PINs that the card was made with, which may still
// be those that it has.
func (c *Card) headImage() headImage {
	p, m := c.persona, c.management
	p.PIN, p.PUK, p.GlobalPIN = "", "", ""
	return headImage{c.id, c.pair.Public(), p, managementImage{m.algorithm, m.key, m.touch, m.changed}, c.root}
}

func (c *Card) encodePIN(e *record.Encoder, ref byte) {
	p := c.pins[ref]
	if p.lock == nil {
		private := c.pair.Private()
		defer clear(private)
		if private == nil || !p.known {
			e.Fail(errUnknown)
			return
		}
		p.lock = c.kit.Close(p.code[:], private, c.pinLabel(ref))
	}
	e.Put(fmt.Sprintf("%s%02x", pinFolder, ref), pinImage{Lock: p.lock, Left: p.left, Most: p.most, Changed: p.changed})
}

func (c *Card) encodeKey(e *record.Encoder, ref byte) {
	name := fmt.Sprintf("%s%02x", keyFolder, ref)
	k, there := c.keys[ref]
	if !there {
		e.Drop(name)
		return
	}
	i, err := c.sealKey(ref, k)
	e.Fail(err)
	e.Put(name, i)
}

func (c *Card) encodeObject(e *record.Encoder, tag uint32) {
	open, closed := fmt.Sprintf("%s%06x", objectFolder, tag), fmt.Sprintf("%s%06x", sealedFolder, tag)
	raw := c.objects[tag]
	if raw == nil || !guarded[tag] {
		e.PutBytes(open, slices.Clone(raw))
		e.Drop(closed)
		return
	}
	box, err := c.pair.Seal(raw, c.objectLabel(tag))
	e.Fail(err)
	e.Drop(open)
	e.Put(closed, sealed{Length: len(raw), Sealed: box})
}
