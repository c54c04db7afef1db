package myeid

// Numbers of the command format.
const (
	maxShortAnswer   = 256
	maxChainedBytes  = 4096 // the longest body that several commands may carry together
	chainingClassBit = 0x10
	proprietaryClass = 0xA0
	insGetResponse   = 0xC0
	insPerformSecOp  = 0x2A
)

// command is one parsed command APDU.
type command struct {
	cla, ins, p1, p2 byte
	data             []byte
	ne               int // response bytes wanted, 0 to 256
}

// p1p2 returns both parameter bytes as one number.
func (m *command) p1p2() uint16 { return uint16(m.p1)<<8 | uint16(m.p2) }

// more tells whether the sender announced further parts of the same command
// (ISO 7816-4 §5.3.3).
func (m *command) more() bool { return m.cla&chainingClassBit != 0 }

// parse reads a short command APDU, cases 1 to 4 (ISO 7816-4 §5.1). Extended
// length is refused with 6700, as a card without that capability does.
func parse(raw []byte) (command, status) {
	if len(raw) < 4 {
		return command{}, swLength
	}
	m := command{cla: raw[0], ins: raw[1], p1: raw[2], p2: raw[3]}
	body := raw[4:]
	switch {
	case len(body) == 0:
	case len(body) == 1:
		m.ne = le(body[0])
	case body[0] != 0 && len(body) == 1+int(body[0]):
		m.data = body[1:]
	case body[0] != 0 && len(body) == 2+int(body[0]):
		m.data, m.ne = body[1:len(body)-1], le(body[len(body)-1])
	default:
		return command{}, swLength
	}
	return m, swOK
}

func le(b byte) int {
	if b == 0 {
		return maxShortAnswer
	}
	return int(b)
}

// shape says what a command's body must be like.
type shape byte

const (
	hasData shape = 1 << iota // Lc is not zero
	noData                    // Lc is zero
	hasLe                     // Le is present
	chained                   // may come in several parts
)

func (s shape) fits(m *command) bool {
	return (s&hasData == 0 || len(m.data) > 0) &&
		(s&noData == 0 || len(m.data) == 0) &&
		(s&hasLe == 0 || m.ne > 0)
}

// instruction is a row of the card's command table.
type instruction struct {
	run   func(*Card, *command) ([]byte, status)
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
	0xC0: {(*Card).getResponse, noData | hasLe},
	0xCA: {(*Card).getData, noData | hasLe},
	0xD6: {(*Card).updateBinary, hasData},
	0xDA: {(*Card).putData, hasData | chained},
	0xE0: {(*Card).createFile, hasData | chained},
	0xE4: {(*Card).deleteFile, noData},
}

// checkClass accepts the interindustry class of channel 0, with or without
// the chaining bit, and A0 for DELETE FILE.
func checkClass(cla, ins byte) status {
	switch {
	case cla&^chainingClassBit == 0, cla == proprietaryClass && ins == 0xE4:
		return swOK
	case cla&0xE0 == 0 && cla&0x0C != 0:
		return swSecure
	case cla&0xE0 == 0, cla&0xC0 == 0x40:
		return swChannel
	default:
		return swClass
	}
}
