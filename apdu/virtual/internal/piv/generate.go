package piv

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// policies reads what a YubiKey takes beside the algorithm: AA and AB.
func (c *Card) policies(k *key, t map[tlv.Tag][]byte) bool {
	for tag, v := range t {
		switch {
		case tag != 0xAA && tag != 0xAB:
			continue
		case !c.persona.Yubico || len(v) != 1 || v[0] > 3:
			return false
		case tag == 0xAA:
			k.pin = v[0]
		default:
			k.touch = v[0]
		}
	}
	return true
}

func elements(b []byte) (map[tlv.Tag][]byte, bool) {
	t := make(map[tlv.Tag][]byte)
	for e, err := range tlv.Parse(b) {
		if _, twice := t[e.Tag]; err != nil || twice {
			return nil, false
		}
		t[e.Tag] = e.Value
	}
	return t, true
}

// generate is GENERATE ASYMMETRIC KEY PAIR, SP 800-73-5 part 2 §3.3.2.
func (c *Card) generate(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1 != 0x00 || !isSlot(m.P2) && !(c.persona.Yubico && m.P2 == refAttestation):
		return nil, apdu.SWWrongP1P2
	case !c.persona.Yubico && retired(m.P2):
		return nil, apdu.SWWrongP1P2
	case !c.admin:
		return nil, apdu.SWSecurityNotSatisfied
	}
	inner, err := tlv.Find(m.Data, 0xAC)
	if err != nil {
		return nil, apdu.SWWrongData
	}
	t, ok := elements(inner)
	if !ok || len(t[0x80]) != 1 || !c.persona.offers(Algorithm(t[0x80][0])) {
		return nil, apdu.SWWrongData
	}
	k, err := makeKey(Algorithm(t[0x80][0]))
	if err != nil {
		return nil, apdu.SWNoDiagnosis
	}
	k.generated = true
	if !c.policies(k, t) {
		return nil, apdu.SWWrongData
	}
	if sw := c.keep(m.P2, k); sw != apdu.OK {
		return nil, sw
	}
	return tlv.New(0x7F49, k.describe()), apdu.OK
}
