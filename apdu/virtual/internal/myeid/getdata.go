package myeid

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// getData is GET DATA. All the card's objects have 01 in P1.
func (c *Card) getData(m *command) ([]byte, apdu.Status) {
	if m.P1 != 0x01 {
		return nil, apdu.SWReferenceNotFound
	}
	switch {
	case m.P2 <= 0x02:
		return c.rsaData(m.P2)
	case m.P2 >= 0x81 && m.P2 <= 0x86:
		return c.ecData(m.P2)
	case m.P2 >= 0xA1 && m.P2 <= 0xA6:
		return c.list(m.P2), apdu.OK
	case m.P2 >= 0xB1 && m.P2 <= 0xBE:
		return c.pins[m.P2&0x0F].info(), apdu.OK
	}
	switch m.P2 {
	case 0xA0:
		return c.appletInfo(), apdu.OK
	case 0xAA:
		return c.persona.capabilities(), apdu.OK
	case 0xAC:
		return binary.BigEndian.AppendUint16(nil, c.rights()), apdu.OK
	}
	return nil, apdu.SWReferenceNotFound
}

// list names the files of the current DF, two bytes each, by what they are.
func (c *Card) list(which byte) []byte {
	var out []byte
	for _, f := range c.current.directory().children {
		if listed(which, f.kind) {
			out = binary.BigEndian.AppendUint16(out, f.id)
		}
	}
	return out
}

func listed(which byte, k kind) bool {
	switch which {
	case 0xA2:
		return k.plain() == kindEF
	case 0xA3:
		return k.plain() == kindDF
	case 0xA4:
		return k.plain() == kindRSA
	case 0xA5:
		return k.plain() == kindEC
	case 0xA6:
		return k.isSecret()
	}
	return true
}

// getChallenge answers random bytes; with Le 00 it refuses as MyEID does.
func (c *Card) getChallenge(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	if m.Le == apdu.MaxShortLe {
		return nil, apdu.SWNoDiagnosis
	}
	out := make([]byte, m.Le)
	rand.Read(out)
	return out, apdu.OK
}
