package piv

import "github.com/go-cryptoki/cryptoki/apdu"

// Numbers of the command format.
const (
	maxShortAnswer   = 256
	maxChainedBytes  = 16 << 10 // the longest body that several commands may carry together
	chainingClassBit = 0x10
	insGetResponse   = 0xC0
	insSelect        = 0xA4
)

// command is one parsed command APDU.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	ne               int // response bytes wanted
}

func (m *command) p1p2() uint16 { return uint16(m.p1)<<8 | uint16(m.p2) }

// more tells whether the sender announced further parts of the same command
// (ISO 7816-4 §5.3.3).
func (m *command) more() bool { return m.cla&chainingClassBit != 0 }

// parse reads a command APDU. Clients leave Le out and expect an answer all
// the same, as T=0 has it.
func parse(raw []byte, extended bool) (command, status) {
	p, err := apdu.ParseCommand(raw)
	if err != nil || apdu.IsExtended(raw) && !extended {
		return command{}, swLength
	}
	m := command{cla: p.CLA, ins: p.INS, p1: p.P1, p2: p.P2, data: p.Data, ne: p.Le}
	if m.ne == 0 {
		m.ne = maxShortAnswer
	}
	return m, swOK
}

// instruction is a row of the card's command table.
type instruction struct {
	run     func(*Card, *command) ([]byte, status)
	chained bool // may come in several parts
	yubico  bool // an extension
}

// instructions is the command table, by INS.
var instructions = map[byte]instruction{
	0x20: {run: (*Card).verify},
	0x24: {run: (*Card).changeReferenceData},
	0x2C: {run: (*Card).resetRetryCounter},
	0x47: {run: (*Card).generate, chained: true},
	0x87: {run: (*Card).generalAuthenticate, chained: true},
	0xA4: {run: (*Card).selectApplication},
	0xC0: {run: (*Card).getResponse},
	0xCB: {run: (*Card).getData},
	0xDB: {run: (*Card).putData, chained: true},
	0xF6: {run: (*Card).moveKey, yubico: true},
	0xF7: {run: (*Card).metadata, yubico: true},
	0xF8: {run: (*Card).serial, yubico: true},
	0xF9: {run: (*Card).attest, yubico: true},
	0xFA: {run: (*Card).setRetries, yubico: true},
	0xFB: {run: (*Card).reset, yubico: true},
	0xFD: {run: (*Card).version, yubico: true},
	0xFE: {run: (*Card).importKey, chained: true, yubico: true},
	0xFF: {run: (*Card).setManagementKey, chained: true, yubico: true},
}

// lookup finds the row of a command.
func (c *Card) lookup(ins byte) (instruction, bool) {
	row, ok := instructions[ins]
	return row, ok && (c.persona.Yubico || !row.yubico)
}

// checkClass accepts the interindustry class of channel 0, with or without
// the chaining bit.
func checkClass(cla byte) status {
	switch {
	case cla&^chainingClassBit == 0:
		return swOK
	case cla&0xE0 == 0 && cla&0x0C != 0:
		return swSecure
	case cla&0xE0 == 0, cla&0xC0 == 0x40:
		return swChannel
	default:
		return swClass
	}
}
