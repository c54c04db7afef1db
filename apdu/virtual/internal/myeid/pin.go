package myeid

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

const (
	pinCount  = 14
	pinLength = 8
	maxTries  = 15
)

// Flags of a PIN.
const (
	pinLocked      = 0x01 // cannot be verified until it is changed
	pinRelock      = 0x02 // locked again whenever it is unblocked
	pinUnblockable = 0x04 // the global unblocker may unblock it
	pinUnblocker   = 0x08 // is the global unblocker
	pinAdminSets   = 0x10 // the administrator may set it
	pinAdmin       = 0x20 // is the administrator
	pinFlags       = 0xBF
)

// pin is one reference with its unblocking code. An unset one is blocked.
type pin struct {
	set             bool
	code, puk       code
	tries, pukTries byte
	max, pukMax     byte
	flags, kind     byte
	grid            byte
	minLen, pukMin  byte

	// What the PIN guards is sealed to its pair, as it is kept; nil: made when
	// it is kept. escrow holds its private half sealed to the pairs of other
	// PINs.
	pair   *seal.Pair
	escrow map[byte][]byte
}

func (p *pin) clear() { *p = pin{} }

// info is the answer to GET DATA 01B1 to 01BE. An unset PIN reads as erased
// memory.
func (p *pin) info() []byte {
	out := []byte{p.tries, p.pukTries, p.max, p.pukMax, p.flags, p.kind, p.grid, p.minLen, p.pukMin}
	if !p.set {
		fill(out)
	}
	return out
}

// pinAt returns the PIN that P2 names.
func (c *Card) pinAt(ref byte) (*pin, apdu.Status) {
	if ref < 1 || ref > pinCount {
		return nil, apdu.SWWrongP1P2
	}
	return &c.pins[ref], apdu.OK
}

// longEnough tells whether a new code has as many bytes as the PIN wants
// before its padding.
func (p *pin) longEnough(code []byte) bool {
	for _, b := range code[:p.minLen] {
		if b == 0x00 || b == 0xFF {
			return false
		}
	}
	return true
}

// try compares a code at the cost of one try. The try is spent and kept by
// the Store before the comparison, so that pulling the card out in between
// wins nothing.
func (c *Card) try(ref byte, given []byte, x *code, which string, tries *byte, max byte) apdu.Status {
	if *tries == 0 {
		return apdu.SWBlocked
	}
	*tries--
	c.journal.pin(int(ref))
	if c.commit() != nil {
		return apdu.SWMemoryFailure
	}
	c.line.Wrote()
	var block [pinLength]byte
	defer clear(block[:])
	fill(block[copy(block[:], given):])
	switch right, sw := c.matches(ref, x, which, &block); {
	case sw != apdu.OK:
		return sw
	case right:
		*tries = max
		c.journal.pin(int(ref))
		c.line.Wrote()
		return apdu.OK
	case *tries == 0:
		return apdu.SWBlocked
	}
	return apdu.SWTriesLeft | apdu.Status(*tries)
}

// tryCode compares the code of a PIN. A failure takes away what an earlier
// success gave, except on a persona that keeps it.
func (c *Card) tryCode(ref byte, given []byte) apdu.Status {
	p := &c.pins[ref]
	sw := c.try(ref, given, &p.code, ownCode, &p.tries, p.max)
	if sw != apdu.OK && !c.persona.KeepVerified {
		c.unverify(ref)
	}
	return sw
}

func (c *Card) tryPUK(ref byte, given []byte) apdu.Status {
	p := &c.pins[ref]
	return c.try(ref, given, &p.puk, itsPUK, &p.pukTries, p.pukMax)
}

// unverify drops the state of one PIN with what it stands for.
func (c *Card) unverify(ref byte) {
	c.verified &^= pinBit(ref)
	if c.pins[ref].flags&pinAdmin != 0 {
		c.verified &^= rightAdmin
	}
	if c.pins[ref].flags&pinUnblocker != 0 {
		c.verified &^= rightUnblock
	}
}
