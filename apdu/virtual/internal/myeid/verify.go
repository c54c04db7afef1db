package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// verify is VERIFY; without data it asks for the state (ISO 7816-4 §7.5.6).
func (c *Card) verify(m *command) ([]byte, apdu.Status) {
	if m.P1 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	p, sw := c.pinAt(m.P2)
	switch {
	case sw != apdu.OK:
		return nil, sw
	case len(m.Data) == 0:
		return nil, c.pinState(m.P2)
	case len(m.Data) > pinLength:
		return nil, apdu.SWWrongLength
	case p.flags&pinLocked != 0 && p.tries > 0:
		return nil, apdu.SWConditionsNotSatisfied
	}
	if sw := c.tryCode(m.P2, m.Data); sw != apdu.OK {
		return nil, sw
	}
	c.verified |= pinBit(m.P2)
	if p.flags&pinAdmin != 0 {
		c.verified |= rightAdmin
	}
	if p.flags&pinUnblocker != 0 {
		c.verified |= rightUnblock
	}
	return nil, apdu.OK
}

// pinState answers a status query. Before activation every PIN counts as
// verified.
func (c *Card) pinState(ref byte) apdu.Status {
	p := &c.pins[ref]
	switch {
	case c.allowed(ref):
		return apdu.OK
	case p.tries == 0:
		return apdu.SWBlocked
	case p.flags&pinLocked != 0:
		return apdu.SWConditionsNotSatisfied
	}
	return apdu.SWTriesLeft | apdu.Status(p.tries)
}

// deauthenticate takes back verified PINs: all, one, or a right alone. A
// message to a cipher that goes on ends, too.
func (c *Card) deauthenticate(m *command) ([]byte, apdu.Status) {
	c.env.open = false
	switch {
	case m.P1 == 0 && m.P2 == 0:
		c.verified = 0
	case m.P1 == 0 && m.P2 <= pinCount:
		c.verified &^= pinBit(m.P2)
	case m.P1 == 0xA0 && m.P2 == 0:
		c.verified &^= rightAdmin
	case m.P1 == 0xB0 && m.P2 == 0:
		c.verified &^= rightUnblock
	default:
		return nil, apdu.SWWrongP1P2
	}
	return nil, apdu.OK
}
