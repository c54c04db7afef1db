package piv

import (
	"bytes"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Tags of data objects that the card treats in a way of their own.
const (
	tagDiscovery   = 0x7E
	tagBIT         = 0x7F61
	tagPrinted     = 0x5FC109
	tagAttestation = 0x5FFF01
)

// guarded are the objects that are read with the PIN only, SP 800-73-5 part 1
// table 2.
var guarded = map[uint32]bool{0x5FC103: true, 0x5FC108: true, tagPrinted: true, 0x5FC121: true, 0x5FC123: true}

// known tells whether there may be an object of a tag.
func (c *Card) known(tag uint32) bool {
	switch {
	case tag == tagDiscovery, tag == tagBIT, tag >= 0x5FC101 && tag <= 0x5FC123:
		return true
	case !c.persona.Yubico:
		return false
	}
	return tag >= 0x5FFF00 && tag <= 0x5FFF15
}

// tagList reads the data object 5C: the tag of the object that is meant.
func tagList(b []byte) (tag uint32, rest []byte, ok bool) {
	e, rest, err := tlv.Next(b)
	if err != nil || e.Tag != 0x5C || len(e.Value) == 0 || len(e.Value) > 3 {
		return 0, nil, false
	}
	var number [4]byte
	copy(number[4-len(e.Value):], e.Value)
	return binary.BigEndian.Uint32(number[:]), rest, true
}

// getData is GET DATA, SP 800-73-5 part 2 §3.1.2.
func (c *Card) getData(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0x3FFF {
		return nil, apdu.SWWrongP1P2
	}
	tag, rest, ok := tagList(m.Data)
	if !ok || len(rest) > 0 {
		return nil, apdu.SWWrongData
	}
	if guarded[tag] && !c.user() {
		return nil, apdu.SWSecurityNotSatisfied
	}
	if _, closed := c.closed[tag]; closed {
		return nil, apdu.SWMemoryFailure // the PIN did not open it
	}
	object := c.objects[tag]
	if object == nil {
		return nil, apdu.SWFileNotFound
	}
	return bytes.Clone(object), apdu.OK
}

// putData is PUT DATA, SP 800-73-5 part 2 §3.3.1.
func (c *Card) putData(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0x3FFF {
		return nil, apdu.SWWrongP1P2
	}
	if !c.admin {
		return nil, apdu.SWSecurityNotSatisfied
	}
	e, rest, err := tlv.Next(m.Data)
	if err != nil {
		return nil, apdu.SWWrongData
	}
	if e.Tag == tagDiscovery || e.Tag == tagBIT {
		return nil, c.write(uint32(e.Tag), e.Raw, len(e.Value) == 0)
	}
	tag, rest2, ok := tagList(m.Data)
	if !ok || tag == tagDiscovery || tag == tagBIT {
		return nil, apdu.SWWrongData
	}
	value, rest, err := tlv.Next(rest2)
	if err != nil || value.Tag != 0x53 || len(rest) > 0 {
		return nil, apdu.SWWrongData
	}
	return nil, c.write(tag, value.Raw, len(value.Value) == 0)
}

func (c *Card) write(tag uint32, raw []byte, empty bool) apdu.Status {
	switch {
	case !c.known(tag):
		return apdu.SWWrongData
	case c.persona.MaxObject > 0 && len(raw) > c.persona.MaxObject,
		c.used()-len(c.objects[tag])-c.closed[tag].Length+len(raw) > c.persona.Capacity:
		return apdu.SWNoMemory
	case empty:
		c.putObject(tag, nil)
	default:
		c.program(tag, raw)
	}
	return apdu.OK
}

// putObject keeps an object, or removes it.
func (c *Card) putObject(tag uint32, raw []byte) {
	delete(c.closed, tag)
	if raw == nil {
		clear(c.objects[tag])
		delete(c.objects, tag)
	} else {
		c.objects[tag] = raw
	}
	c.journal.object(tag)
	c.line.Wrote()
}

// pageSize is how many bytes of an object are written at once.
const pageSize = 64

// program writes an object over the one before, page by page: a loss of power
// leaves the first pages of the new one with the rest of the old one, or with
// erased memory, behind them.
func (c *Card) program(tag uint32, raw []byte) {
	object := bytes.Repeat([]byte{0xFF}, len(raw))
	copy(object, c.objects[tag])
	delete(c.closed, tag) // what is not known of the old one reads as erased
	c.objects[tag] = object
	c.journal.object(tag)
	for at := 0; at < len(raw); at += pageSize {
		copy(object[at:], raw[at:min(at+pageSize, len(raw))])
		c.line.Wrote()
	}
}

// used is how much of the capacity is taken.
func (c *Card) used() (n int) {
	for _, o := range c.objects {
		n += len(o)
	}
	for _, o := range c.closed {
		n += o.Length
	}
	for _, k := range c.keys {
		n += k.length
	}
	return n
}
