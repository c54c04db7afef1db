package piv

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"
)

// maxChainedBytes is the longest body that several commands may carry
// together.
const maxChainedBytes = 16 << 10

type command = exchange.Command

// parse reads a command APDU. Clients leave Le out and expect an answer all
// the same, as T=0 has it.
func parse(raw []byte, extended bool) (command, apdu.Status) {
	m, sw := exchange.Parse(raw, extended)
	if m.Le == 0 {
		m.Le = apdu.MaxShortLe
	}
	if sw == apdu.OK {
		sw = exchange.CheckClass(m.CLA)
	}
	return m, sw
}

// instruction is a row of the card's command table.
type instruction struct {
	run     func(*Card, *command) ([]byte, apdu.Status)
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
