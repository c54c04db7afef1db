package myeid

import "github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"

// Process executes one command APDU and returns the response, which is at
// least a status word and at most 258 bytes, and which the caller owns. The
// command is not kept. What the command changed is committed to the Store
// before Process returns. If the power fails meanwhile there is no response,
// and what was written until then is what was changed.
func (c *Card) Process(raw []byte) []byte {
	m, sw := exchange.Parse(raw, false)
	if sw == swOK {
		sw = checkClass(&m)
	}
	return c.line.Process(m, sw, c.execute, c.commit)
}

// execute runs a command, or keeps it as a part of one.
func (c *Card) execute(m *command) ([]byte, status) {
	row := &instructions[m.INS]
	part := m.More() && !c.streams(m)
	switch {
	case row.run == nil:
		c.line.GiveUp()
		return nil, swInstruction
	case part && row.shape&chained == 0:
		c.line.GiveUp()
		return nil, swChaining
	case part && len(m.Data) == 0:
		c.line.GiveUp()
		return nil, swLength
	case part:
		return nil, c.line.Keep(m, maxChainedBytes)
	}
	defer c.line.GiveUp()
	if sw := c.line.Join(m, maxChainedBytes); sw != swOK {
		return nil, sw
	}
	if !row.shape.fits(m) {
		return nil, swLength
	}
	return row.run(c, m)
}
