package piv

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// selectApplication answers SELECT by name with the application property
// template, SP 800-73-5 part 2 table 3.
func (c *Card) selectApplication(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1 != 0x04 && c.persona.Yubico:
		// There are no files to select: GnuPG knows a YubiKey by this.
		return nil, apdu.SWINSNotSupported
	case m.P1 != 0x04 || m.P2 != 0x00:
		return nil, apdu.SWWrongP1P2
	}
	if !c.Selects(m.Data) {
		return nil, apdu.SWFileNotFound
	}
	if c.persona.Quirks.ReselectDrops {
		c.Reset()
	}
	var more [][]byte
	if c.persona.Label != "" {
		more = append(more, tlv.New(0x50, []byte(c.persona.Label)))
	}
	if c.persona.URL != "" {
		more = append(more, tlv.New(0x5F50, []byte(c.persona.URL)))
	}
	parts := append([][]byte{
		tlv.New(0x4F, aid[5:]),
		tlv.New(0x79, tlv.New(0x4F, aid[:5])),
	}, more...)
	return tlv.New(0x61, parts...), apdu.OK
}
