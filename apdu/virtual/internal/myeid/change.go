package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// changeReferenceData sets a new code after the old one, or by the
// administrator alone (ISO 7816-4 §7.5.7).
func (c *Card) changeReferenceData(m *command) ([]byte, apdu.Status) {
	p, sw := c.pinAt(m.P2)
	if m.P1 != 0 || sw != apdu.OK {
		return nil, apdu.SWWrongP1P2
	}
	switch len(m.Data) {
	case pinLength:
		if c.rights()&rightAdmin == 0 || p.flags&pinAdminSets == 0 || !p.set {
			return nil, apdu.SWSecurityNotSatisfied
		}
		return nil, c.setCode(m.P2, m.Data)
	case 2 * pinLength:
		if !p.longEnough(m.Data[pinLength:]) {
			return nil, apdu.SWWrongLength
		}
		if sw := c.tryCode(m.P2, m.Data[:pinLength]); sw != apdu.OK {
			return nil, sw
		}
		return nil, c.setCode(m.P2, m.Data[pinLength:])
	}
	return nil, apdu.SWWrongLength
}

// resetRetryCounter sets a new code after the PUK, or by the global unblocker
// or the administrator alone (ISO 7816-4 §7.5.10).
func (c *Card) resetRetryCounter(m *command) ([]byte, apdu.Status) {
	p, sw := c.pinAt(m.P2)
	if m.P1 != 0 || sw != apdu.OK {
		return nil, apdu.SWWrongP1P2
	}
	code := m.Data
	switch len(m.Data) {
	case pinLength:
		byUnblocker := c.rights()&rightUnblock != 0 && p.flags&pinUnblockable != 0
		byAdmin := c.rights()&rightAdmin != 0 && p.flags&pinAdminSets != 0
		if !p.set || !byUnblocker && !byAdmin {
			return nil, apdu.SWSecurityNotSatisfied
		}
	case 2 * pinLength:
		code = m.Data[pinLength:]
		if !p.longEnough(code) {
			return nil, apdu.SWWrongLength
		}
		if sw := c.tryPUK(m.P2, m.Data[:pinLength]); sw != apdu.OK {
			return nil, sw
		}
	default:
		return nil, apdu.SWWrongLength
	}
	if sw := c.setCode(m.P2, code); sw != apdu.OK {
		return nil, sw
	}
	if p.flags&pinRelock != 0 {
		p.flags |= pinLocked
	}
	return nil, apdu.OK
}

// setCode gives a PIN a new code, all its tries, and unlocks it.
func (c *Card) setCode(ref byte, code []byte) apdu.Status {
	p := &c.pins[ref]
	if !p.longEnough(code) {
		return apdu.SWWrongLength
	}
	if !c.recover(ref) {
		return apdu.SWMemoryFailure
	}
	p.code.set(code)
	p.tries = p.max
	p.flags &^= pinLocked
	c.journal.pin(int(ref))
	c.line.Wrote()
	return apdu.OK
}

// initialisePIN is PUT DATA 0101 to 010E, before activation only: code, PUK,
// and from there on what the PIN is like, each byte of which may be missing.
func (c *Card) initialisePIN(ref byte, data []byte) apdu.Status {
	switch {
	case c.lifeCycle != stateCreation:
		return apdu.SWSecurityNotSatisfied
	case len(data) < 2*pinLength:
		return apdu.SWWrongLength
	}
	p := pin{set: true, max: 5, pukMax: 10, minLen: 4, pukMin: 4}
	p.code.set(data[:pinLength])
	p.puk.set(data[pinLength:][:pinLength])
	for i, b := range data[2*pinLength:] {
		switch i {
		case 0:
			p.max = min(b, maxTries)
		case 1:
			p.pukMax = min(b, maxTries)
		case 2:
			p.flags = b & pinFlags
		case 3:
			if b != 0 {
				return apdu.SWReferenceNotUsable // grid PINs and challenges are not known
			}
		case 4:
			p.grid = b
		case 5:
			p.minLen = lengthOr4(b)
		case 6:
			p.pukMin = lengthOr4(b)
		}
	}
	p.tries, p.pukTries = p.max, p.pukMax
	c.pins[ref] = p
	c.journal.pin(int(ref))
	c.line.Wrote()
	return apdu.OK
}

func lengthOr4(b byte) byte {
	if b < 1 || b > pinLength {
		return 4
	}
	return b
}
