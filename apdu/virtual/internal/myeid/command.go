package myeid

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"
)

// Numbers of the command format.
const (
	maxChainedBytes  = 4096 // the longest body that several commands may carry together
	proprietaryClass = 0xA0
	insPerformSecOp  = 0x2A
	insDeleteFile    = 0xE4
)

type command = exchange.Command

// shape says what a command's body must be like.
type shape byte

const (
	hasData shape = 1 << iota // Lc is not zero
	noData                    // Lc is zero
	hasLe                     // Le is present
	chained                   // may come in several parts
)

func (s shape) fits(m *command) bool {
	return (s&hasData == 0 || len(m.Data) > 0) &&
		(s&noData == 0 || len(m.Data) == 0) &&
		(s&hasLe == 0 || m.Le > 0)
}

// instruction is a row of the card's command table.
type instruction struct {
	run   func(*Card, *command) ([]byte, apdu.Status)
	shape shape
}

// instructions is the command table, by INS.
var instructions = [256]instruction{
	0x0E: {(*Card).eraseBinary, noData},
	0x20: {(*Card).verify, 0},
	0x22: {(*Card).manageSecurityEnvironment, 0},
	0x24: {(*Card).changeReferenceData, hasData},
	0x2A: {(*Card).performSecurityOperation, chained},
	0x2C: {(*Card).resetRetryCounter, hasData},
	0x2E: {(*Card).deauthenticate, noData},
	0x44: {(*Card).activateApplet, 0},
	0x46: {(*Card).generateKeyPair, 0},
	0x84: {(*Card).getChallenge, noData | hasLe},
	0x86: {(*Card).generalAuthenticate, hasData | chained},
	0xA4: {(*Card).selectFile, 0},
	0xB0: {(*Card).readBinary, noData | hasLe},
	0xC0: {func(c *Card, m *command) ([]byte, apdu.Status) { return c.line.GetResponse(m) }, noData | hasLe},
	0xCA: {(*Card).getData, noData | hasLe},
	0xD6: {(*Card).updateBinary, hasData},
	0xDA: {(*Card).putData, hasData | chained},
	0xE0: {(*Card).createFile, hasData | chained},
	0xE4: {(*Card).deleteFile, noData},
}

// checkClass accepts A0 for DELETE FILE, too.
func checkClass(m *command) apdu.Status {
	if m.CLA == proprietaryClass && m.INS == insDeleteFile {
		return apdu.OK
	}
	return exchange.CheckClass(m.CLA)
}
