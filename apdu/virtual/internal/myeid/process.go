package myeid

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"
)

// Process executes one command APDU and returns the response, which is at
// least a status word and at most 258 bytes, and which the caller owns. The
// command is not kept. What the command changed is committed to the Store
// before Process returns. If the power fails meanwhile there is no response,
// and what was written until then is what was changed.
func (c *Card) Process(raw []byte) []byte {
	m, sw := exchange.Parse(raw, false)
	if sw == apdu.OK {
		sw = checkClass(&m)
	}
	return c.line.Process(m, sw, c.execute, c.commit)
}

// execute runs a command, or keeps it as a part of one.
func (c *Card) execute(m *command) ([]byte, apdu.Status) {
	row := &instructions[m.INS]
	part := m.More() && !c.streams(m)
	switch {
	case row.run == nil:
		c.line.GiveUp()
		return nil, apdu.SWINSNotSupported
	case part && row.shape&chained == 0:
		c.line.GiveUp()
		return nil, apdu.SWChainingNotSupported
	case part && len(m.Data) == 0:
		c.line.GiveUp()
		return nil, apdu.SWWrongLength
	case part:
		return nil, c.line.Keep(m, maxChainedBytes)
	}
	defer c.line.GiveUp()
	if sw := c.line.Join(m, maxChainedBytes); sw != apdu.OK {
		return nil, sw
	}
	if !row.shape.fits(m) {
		return nil, apdu.SWWrongLength
	}
	return row.run(c, m)
}
