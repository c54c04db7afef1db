package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// Operations of PERFORM SECURITY OPERATION, P1 P2 (ISO 7816-8). In the first
// byte is what comes out, in the second what goes in: 80 plain, 84 cryptogram,
// 86 cryptogram with padding indicator, 00 nothing.
const (
	opSign        = 0x9E9A
	opDecipher    = 0x8084
	opDecipherInd = 0x8086
	opUnwrap      = 0x0084
	opUnwrapInd   = 0x0086
	opEncipher    = 0x8480
	opWrap        = 0x8400
)

func (c *Card) performSecurityOperation(m *command) ([]byte, apdu.Status) {
	var purpose uint16
	switch m.P1P2() {
	case opSign:
		purpose = forSigning
	case opDecipher, opDecipherInd, opUnwrap, opUnwrapInd:
		purpose = forDecryption
	case opEncipher, opWrap:
		purpose = forEncryption
	default:
		return nil, apdu.SWWrongP1P2
	}
	if (len(m.Data) == 0) != (m.P1P2() == opWrap) {
		return nil, apdu.SWWrongLength
	}
	f, sw := c.env.ready(purpose)
	if sw != apdu.OK {
		return nil, sw
	}
	if m.P1P2() == opDecipherInd || m.P1P2() == opUnwrapInd {
		whole, sw := c.joinHalves(m.Data)
		if whole == nil {
			return nil, sw
		}
		defer c.dropHalf()
		m.Data = whole
	}
	return c.use(f, m, c.operation(m.P1P2(), f))
}

// operation picks what to do from P1 P2 and the kind of key.
func (c *Card) operation(p1p2 uint16, f *file) func(*file, *command) ([]byte, apdu.Status) {
	secret := f.kind.isSecret()
	switch p1p2 {
	case opSign:
		return c.sign
	case opWrap:
		return c.wrap
	case opUnwrap, opUnwrapInd:
		return c.unwrap
	case opEncipher:
		return c.encipher
	default:
		if secret {
			return c.decipher
		}
		return c.decryptRSA
	}
}

// use runs an operation with a key if its condition is met. A key that wants
// consent for every use drops that PIN afterwards; the parts of one message
// to a cipher are one use.
func (c *Card) use(f *file, m *command, run func(*file, *command) ([]byte, apdu.Status)) ([]byte, apdu.Status) {
	goesOn := c.env.open && (m.P1P2() == opEncipher || m.P1P2() == opDecipher)
	c.env.open = goesOn
	switch {
	case !goesOn && !c.allowed(f.acl.use()):
		return nil, c.persona.denial()
	case f.closed != nil:
		return nil, apdu.SWMemoryFailure // its PIN did not open it
	case !f.key.usable():
		return nil, apdu.SWConditionsNotSatisfied
	}
	out, sw := run(f, m)
	if ref := consent(f.prop); ref >= 1 && ref <= pinCount && c.lifeCycle == stateOperational {
		c.unverify(ref)
	}
	return out, sw
}

// joinHalves takes the padding indicator off. 81 and 82 mark the halves of a
// cryptogram that is too long for one command without chaining; after the
// first half there is nothing to work on yet.
func (c *Card) joinHalves(data []byte) ([]byte, apdu.Status) {
	indicator, data := data[0], data[1:]
	switch indicator {
	case 0x00:
		c.dropHalf()
		return data, apdu.OK
	case 0x81:
		c.dropHalf()
		if len(data) == 0 {
			return nil, apdu.SWWrongLength
		}
		c.half = append(c.half, data...)
		return nil, apdu.OK
	case 0x82:
		if c.half == nil {
			return nil, apdu.SWConditionsNotSatisfied
		}
		return append(c.half, data...), apdu.OK
	}
	return nil, apdu.SWReferenceNotUsable
}

// sign computes a digital signature.
func (c *Card) sign(f *file, m *command) ([]byte, apdu.Status) {
	switch f.kind.plain() {
	case kindRSA:
		return signRSA(&f.key, c.env.alg, m.Data)
	case kindEC:
		if c.env.alg == algEC {
			return signECDSA(&f.key, m.Data)
		}
	}
	return nil, apdu.SWConditionsNotSatisfied
}
