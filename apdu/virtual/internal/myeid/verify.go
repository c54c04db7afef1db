package myeid

// verify is VERIFY; without data it asks for the state (ISO 7816-4 §7.5.6).
func (c *Card) verify(m *command) ([]byte, status) {
	if m.p1 != 0 {
		return nil, swP1P2
	}
	p, sw := c.pinAt(m.p2)
	switch {
	case sw != swOK:
		return nil, sw
	case len(m.data) == 0:
		return nil, c.pinState(m.p2)
	case len(m.data) > pinLength:
		return nil, swLength
	case p.flags&pinLocked != 0 && p.tries > 0:
		return nil, swConditions
	}
	if sw := c.tryCode(m.p2, m.data); sw != swOK {
		return nil, sw
	}
	c.verified |= pinBit(m.p2)
	if p.flags&pinAdmin != 0 {
		c.verified |= rightAdmin
	}
	if p.flags&pinUnblocker != 0 {
		c.verified |= rightUnblock
	}
	return nil, swOK
}

// pinState answers a status query. Before activation every PIN counts as
// verified.
func (c *Card) pinState(ref byte) status {
	p := &c.pins[ref]
	switch {
	case c.allowed(ref):
		return swOK
	case p.tries == 0:
		return swBlocked
	case p.flags&pinLocked != 0:
		return swConditions
	}
	return swTries | status(p.tries)
}

// deauthenticate takes back verified PINs: all, one, or a right alone. A
// message to a cipher that goes on ends, too.
func (c *Card) deauthenticate(m *command) ([]byte, status) {
	c.env.open = false
	switch {
	case m.p1 == 0 && m.p2 == 0:
		c.verified = 0
	case m.p1 == 0 && m.p2 <= pinCount:
		c.verified &^= pinBit(m.p2)
	case m.p1 == 0xA0 && m.p2 == 0:
		c.verified &^= rightAdmin
	case m.p1 == 0xB0 && m.p2 == 0:
		c.verified &^= rightUnblock
	default:
		return nil, swP1P2
	}
	return nil, swOK
}
