package piv

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Tags of the dynamic authentication template 7C, SP 800-73-5 part 2 table 7.
const (
	tagWitness        tlv.Tag = 0x80
	tagChallenge      tlv.Tag = 0x81
	tagResponse       tlv.Tag = 0x82
	tagExponentiation tlv.Tag = 0x85
)

// template is a dynamic authentication template by its tags; an empty value
// asks for it.
type template map[tlv.Tag][]byte

func parseTemplate(b []byte) (template, bool) {
	outer, rest, err := tlv.Next(b)
	if err != nil || outer.Tag != 0x7C || len(rest) > 0 {
		return nil, false
	}
	t := template{}
	for e, err := range tlv.Parse(outer.Value) {
		if err != nil {
			return nil, false
		}
		t[e.Tag] = e.Value
	}
	return t, true
}

func (t template) has(tag tlv.Tag) bool { return len(t[tag]) > 0 }

func (t template) asks(tag tlv.Tag) bool {
	v, ok := t[tag]
	return ok && len(v) == 0
}

// generalAuthenticate is GENERAL AUTHENTICATE, SP 800-73-5 part 2 §3.2.4.
func (c *Card) generalAuthenticate(m *command) ([]byte, apdu.Status) {
	t, ok := parseTemplate(m.Data)
	if !ok {
		return nil, apdu.SWWrongData
	}
	if m.P2 == refManagement {
		return c.authenticate(m, t)
	}
	k := c.keys[m.P2]
	switch {
	case !isSlot(m.P2) && m.P2 != refAttestation:
		return nil, apdu.SWWrongP1P2
	case k == nil:
		return nil, c.noKey()
	case Algorithm(m.P1) != k.algorithm:
		return nil, apdu.SWWrongP1P2
	}
	if sw := c.mayUse(k, m.P2); sw != apdu.OK {
		return nil, sw
	}
	if k.closed != nil {
		return nil, apdu.SWMemoryFailure // the PIN did not open it
	}
	out, sw := c.compute(k, m.P2, t)
	if sw != apdu.OK {
		return nil, sw
	}
	return tlv.New(0x7C, tlv.New(tagResponse, out)), apdu.OK
}

// noKey is the answer to the use of an empty slot.
func (c *Card) noKey() apdu.Status {
	if c.persona.Yubico {
		return apdu.SWWrongData
	}
	return apdu.SWReferenceNotFound
}

// mayUse checks what stands before a use of a key, and takes the consent that
// it uses up.
func (c *Card) mayUse(k *key, ref byte) apdu.Status {
	switch k.pinPolicy(ref) {
	case pinNever:
	case pinAlways:
		fresh := c.fresh
		c.fresh = false
		if !fresh || !c.user() {
			return apdu.SWSecurityNotSatisfied
		}
	default:
		if !c.user() {
			return apdu.SWSecurityNotSatisfied
		}
	}
	if k.touch > touchNever && !c.touched() {
		return apdu.SWSecurityNotSatisfied
	}
	return apdu.OK
}

// compute applies a key to what the template holds: a challenge to sign or to
// decipher, or a point to multiply.
func (c *Card) compute(k *key, ref byte, t template) ([]byte, apdu.Status) {
	if !t.asks(tagResponse) {
		return nil, apdu.SWWrongData
	}
	switch {
	case t.has(tagExponentiation):
		if !c.persona.Yubico && ref != 0x9D && !retired(ref) {
			return nil, apdu.SWWrongData // key management keys alone agree on secrets
		}
		return k.agree(t[tagExponentiation])
	case t.has(tagChallenge):
		if !c.persona.Yubico && k.algorithm.rsaBits() == 0 && (ref == 0x9D || retired(ref)) {
			return nil, apdu.SWWrongData
		}
		return k.sign(t[tagChallenge])
	}
	return nil, apdu.SWWrongData
}
