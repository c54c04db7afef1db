package exchange

import "github.com/go-cryptoki/cryptoki/apdu"

const (
	chainingClassBit = 0x10
	insGetResponse   = 0xC0
)

// Command is one command APDU.
type Command struct{ apdu.Command }

// P1P2 returns both parameter bytes as one number.
func (m *Command) P1P2() uint16 { return uint16(m.P1)<<8 | uint16(m.P2) }

// More tells whether the sender announced further parts of the same command
// (ISO 7816-4 §5.3.3).
func (m *Command) More() bool { return m.CLA&chainingClassBit != 0 }

// Parse reads a command APDU, of which Data stays a part. The status is 6700
// if it is malformed, or has extended lengths and the card does not take them.
func Parse(raw []byte, extended bool) (Command, apdu.Status) {
	if !extended && apdu.IsExtended(raw) {
		return Command{}, apdu.SWWrongLength
	}
	m, err := apdu.ParseCommand(raw)
	if err != nil {
		return Command{}, apdu.SWWrongLength
	}
	return Command{m}, apdu.OK
}

// CheckClass accepts the interindustry class of channel 0, with or without the
// chaining bit.
func CheckClass(cla byte) apdu.Status {
	switch {
	case cla&^chainingClassBit == 0:
		return apdu.OK
	case cla&0xE0 == 0 && cla&0x0C != 0:
		return apdu.SWSMNotSupported
	case cla&0xE0 == 0, cla&0xC0 == 0x40:
		return apdu.SWChannelNotSupported
	default:
		return apdu.SWCLANotSupported
	}
}
