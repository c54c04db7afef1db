package piv

import (
	"bytes"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// version is Yubico's GET VERSION.
func (c *Card) version(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	return bytes.Clone(c.persona.Version[:]), apdu.OK
}

// serial is Yubico's GET SERIAL.
func (c *Card) serial(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	return binary.BigEndian.AppendUint32(nil, c.persona.Serial), apdu.OK
}

// metadata is Yubico's GET METADATA.
func (c *Card) metadata(m *command) ([]byte, apdu.Status) {
	if m.P1 != 0 {
		return nil, apdu.SWWrongP1P2
	}
	switch ref := m.P2; {
	case ref == refPIN || ref == refPUK:
		p := c.pins[ref]
		return slab(
			tlv.New(0x01, []byte{0xFF}),
			tlv.New(0x05, []byte{truth(!p.changed)}),
			tlv.New(0x06, []byte{p.most, p.left}),
		), apdu.OK
	case ref == refManagement:
		return slab(
			tlv.New(0x01, []byte{byte(c.management.algorithm)}),
			tlv.New(0x02, []byte{0, max(c.management.touch, touchNever)}),
			tlv.New(0x05, []byte{truth(!c.management.changed)}),
		), apdu.OK
	case !isSlot(ref) && ref != refAttestation:
		// What other models have is not here: clients ask so for the
		// fingerprints of a YubiKey Bio.
		return nil, apdu.SWReferenceNotFound
	}
	k := c.keys[m.P2]
	if k == nil {
		return nil, apdu.SWReferenceNotFound
	}
	origin := byte(2)
	if k.generated {
		origin = 1
	}
	return slab(
		tlv.New(0x01, []byte{byte(k.algorithm)}),
		tlv.New(0x02, []byte{k.pinPolicy(m.P2), k.touchPolicy()}),
		tlv.New(0x03, []byte{origin}),
		tlv.New(0x04, k.describe()),
	), apdu.OK
}

func slab(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// moveKey is Yubico's MOVE KEY: P1 the new slot, or FF to remove the key, P2
// the old one.
func (c *Card) moveKey(m *command) ([]byte, apdu.Status) {
	to, from := m.P1, m.P2
	switch {
	case !isSlot(from) && !(from == refAttestation && to == 0xFF), !isSlot(to) && to != 0xFF, to == from:
		return nil, apdu.SWWrongP1P2
	case !c.admin:
		return nil, apdu.SWSecurityNotSatisfied
	case c.keys[from] == nil:
		return nil, apdu.SWReferenceNotFound
	case to == 0xFF:
		c.dropKey(from)
		return nil, apdu.OK
	case c.keys[to] != nil:
		return nil, apdu.SWWrongData
	}
	// For a moment both slots have it: a key is not lost with the power.
	c.keys[to] = c.keys[from]
	c.journal.key(to)
	c.line.Wrote()
	delete(c.keys, from)
	c.journal.key(from)
	c.line.Wrote()
	return nil, apdu.OK
}

// setRetries is Yubico's SET PIN RETRIES: it also sets PIN and PUK back.
func (c *Card) setRetries(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1 == 0 || m.P2 == 0:
		return nil, apdu.SWWrongData
	case !c.admin || !c.verified[refPIN]:
		return nil, apdu.SWSecurityNotSatisfied
	}
	c.pins[refPIN] = newPIN(factoryPIN, m.P1)
	c.journal.pin(refPIN)
	c.line.Wrote()
	c.pins[refPUK] = newPIN(factoryPUK, m.P2)
	c.journal.pin(refPUK)
	c.line.Wrote()
	delete(c.verified, refPIN)
	c.fresh = false
	return nil, apdu.OK
}

// reset is Yubico's RESET: all but the attestation key is lost. It needs PIN
// and PUK blocked.
func (c *Card) reset(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1P2() != 0:
		return nil, apdu.SWWrongP1P2
	case c.pins[refPIN].left > 0 || c.pins[refPUK].left > 0:
		return nil, apdu.SWConditionsNotSatisfied
	}
	global := ""
	if c.pins[refGlobalPIN] != nil {
		global = factoryPIN
	}
	c.clear(factoryPIN, factoryPUK, global)
	return nil, apdu.OK
}
