package piv

import (
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

const pinLength = 8

// The PIN and the PUK of a card that nobody has set, which RESET and SET PIN
// RETRIES bring back.
const (
	factoryPIN = "123456"
	factoryPUK = "12345678"
)

// pin is a PIN or the PUK, padded with FF. A card that was loaded knows it by
// its lock alone, which costs a derivation for each guess, until the right one
// was given.
type pin struct {
	known      bool
	code       [pinLength]byte
	lock       *seal.Lock // on the private half of the card's pair; nil: made when it is kept
	left, most byte
	changed    bool // it is not the one that the card was made with
}

func newPIN(code string, most byte) *pin {
	p := &pin{left: most, most: most}
	p.set([]byte(code))
	return p
}

func (p *pin) set(code []byte) {
	p.known, p.lock = true, nil
	for i := copy(p.code[:], code); i < pinLength; i++ {
		p.code[i] = 0xFF
	}
}

// wellFormed checks the form of a PIN, SP 800-73-5 part 2 §2.4.3: six to eight
// digits with FF behind them. A YubiKey takes any bytes. The PUK is eight
// bytes of any kind.
func (c *Card) wellFormed(ref byte, code []byte) bool {
	if len(code) != pinLength {
		return false
	}
	n := pinLength
	for n > 0 && code[n-1] == 0xFF {
		n--
	}
	if ref == refPUK {
		return n > 0
	}
	if n < 6 {
		return false
	}
	for _, b := range code[:n] {
		if !c.persona.Yubico && (b < '0' || b > '9') {
			return false
		}
	}
	return true
}

// guess tells whether a PIN may be compared. A YubiKey takes any eight bytes
// for a guess, also those that no PIN can be: Yubico's programs block PIN and
// PUK with nothing but FF, before RESET.
func (c *Card) guess(ref byte, code []byte) bool {
	if c.persona.Yubico {
		return len(code) == pinLength
	}
	return c.wellFormed(ref, code)
}

// wrong is the answer to a wrong PIN.
func (c *Card) wrong(p *pin) apdu.Status {
	left := apdu.Status(min(p.left, 0x0F))
	if c.persona.Quirks.OldCounters {
		return apdu.SWVerifyFailed | left
	}
	return apdu.SWTriesLeft | left
}

// try compares a PIN at the cost of one try. The try is spent and kept by the
// Store before the comparison, so that pulling the card out in between wins
// nothing.
func (c *Card) try(ref byte, given []byte) apdu.Status {
	p := c.pins[ref]
	if p.left == 0 {
		return apdu.SWBlocked
	}
	p.left--
	c.journal.pin(ref)
	if c.commit() != nil {
		return apdu.SWMemoryFailure
	}
	c.line.Wrote()
	p = c.pins[ref] // the Store may have given the state back
	right, sw := c.matches(ref, p, given)
	if !right {
		delete(c.verified, ref)
		c.fresh = false
		if sw != apdu.OK {
			return sw
		}
		return c.wrong(p)
	}
	p.left = p.most
	c.journal.pin(ref)
	c.line.Wrote()
	return apdu.OK
}

// matches compares a PIN. The right one to a lock opens the card's pair, and
// with it all that is sealed; if that cannot be, the lock and the pair are not
// of one card, and the PIN is neither right nor wrong.
func (c *Card) matches(ref byte, p *pin, given []byte) (bool, apdu.Status) {
	if p.known {
		return subtle.ConstantTimeCompare(given, p.code[:]) == 1, apdu.OK
	}
	private, ok := c.kit.Open(p.lock, given, c.pinLabel(ref))
	if !ok {
		return false, apdu.OK
	}
	defer clear(private)
	if c.pair.Unlock(private) != nil {
		return false, apdu.SWMemoryFailure
	}
	p.known = true
	copy(p.code[:], given)
	c.unseal()
	return true, apdu.OK
}

// user tells whether a PIN is verified that opens the user's objects and keys:
// the application's, or the global one where the discovery object says that
// it counts.
func (c *Card) user() bool {
	return c.verified[refPIN] || c.verified[refGlobalPIN] && c.globalCounts()
}

// globalCounts reads the PIN usage policy of the discovery object.
func (c *Card) globalCounts() bool {
	d := c.objects[tagDiscovery]
	return len(d) == 20 && d[18]&0x20 != 0
}

// verify is VERIFY, SP 800-73-5 part 2 §3.2.1.
func (c *Card) verify(m *command) ([]byte, apdu.Status) {
	p := c.pins[m.P2]
	switch {
	case m.P1 != 0x00 && m.P1 != 0xFF:
		return nil, apdu.SWWrongP1P2
	case p == nil || m.P2 == refPUK:
		return nil, apdu.SWReferenceNotFound
	case m.P2 == refGlobalPIN && !c.globalCounts():
		return nil, apdu.SWReferenceNotFound
	case m.P1 == 0xFF:
		if len(m.Data) > 0 {
			return nil, apdu.SWWrongData
		}
		delete(c.verified, m.P2)
		c.fresh = false
		return nil, apdu.OK
	case len(m.Data) == 0:
		return nil, c.pinState(m.P2)
	case !c.guess(m.P2, m.Data):
		return nil, apdu.SWWrongData
	}
	c.fresh = false
	if sw := c.try(m.P2, m.Data); sw != apdu.OK {
		return nil, sw
	}
	c.verified[m.P2], c.fresh = true, true
	return nil, apdu.OK
}

// pinState answers a status query.
func (c *Card) pinState(ref byte) apdu.Status {
	p, q := c.pins[ref], &c.persona.Quirks
	if !c.persona.Yubico {
		c.fresh = false
	}
	if q.CountsStatus && !c.verified[ref] && p.left > 0 {
		p.left--
		c.journal.pin(ref)
	}
	switch {
	case c.verified[ref] && !q.BlindStatus:
		return apdu.OK
	case p.left == 0:
		return apdu.SWBlocked
	}
	return c.wrong(p)
}

// changeReferenceData is CHANGE REFERENCE DATA, SP 800-73-5 part 2 §3.2.2.
func (c *Card) changeReferenceData(m *command) ([]byte, apdu.Status) {
	p := c.pins[m.P2]
	switch {
	case m.P1 != 0x00:
		return nil, apdu.SWWrongP1P2
	case p == nil:
		return nil, apdu.SWReferenceNotFound
	case len(m.Data) != 2*pinLength:
		return nil, apdu.SWWrongData
	}
	if sw := c.renew(m.P2, m.P2, m.Data); sw != apdu.OK {
		return nil, sw
	}
	if m.P2 != refPUK && !c.persona.Yubico {
		c.verified[m.P2] = true
	}
	return nil, apdu.OK
}

// renew sets a PIN against another one, or its old value: both are in data. A
// card looks at the form of the new one first, a YubiKey last.
func (c *Card) renew(ref, by byte, data []byte) apdu.Status {
	proof, code := data[:pinLength], data[pinLength:]
	if !c.persona.Yubico && !c.wellFormed(ref, code) {
		return apdu.SWWrongData
	}
	if sw := c.try(by, proof); sw != apdu.OK {
		return sw
	}
	if !c.wellFormed(ref, code) {
		return apdu.SWWrongData
	}
	c.replace(ref, code)
	return apdu.OK
}

// replace sets a PIN whose use was just proved.
func (c *Card) replace(ref byte, code []byte) {
	p := c.pins[ref]
	p.set(code)
	p.left, p.changed = p.most, true
	c.journal.pin(ref)
	c.line.Wrote()
}

// resetRetryCounter is RESET RETRY COUNTER, SP 800-73-5 part 2 §3.2.3.
func (c *Card) resetRetryCounter(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1 != 0x00:
		return nil, apdu.SWWrongP1P2
	case m.P2 != refPIN:
		return nil, apdu.SWReferenceNotFound
	case len(m.Data) != 2*pinLength:
		return nil, apdu.SWWrongData
	}
	return nil, c.renew(refPIN, refPUK, m.Data)
}
