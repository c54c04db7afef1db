package piv

import "github.com/go-cryptoki/cryptoki/apdu"

// Process executes one command APDU and returns the response, which is at
// least a status word and which the caller owns. The command is not kept. What
// the command changed is committed to the Store before Process returns. If the
// power fails meanwhile there is no response, and what was written until then
// is what was changed.
func (c *Card) Process(raw []byte) []byte {
	m, sw := parse(raw, c.persona.Extended)
	if sw != apdu.OK {
		c.fresh = c.fresh && c.persona.Yubico
	}
	return c.line.Process(m, sw, c.execute, c.commit)
}

// execute runs a command, or keeps it as a part of one.
func (c *Card) execute(m *command) ([]byte, apdu.Status) {
	c.stale(m.INS)
	row, ok := c.lookup(m.INS)
	switch {
	case !ok:
		c.line.GiveUp()
		return nil, apdu.SWINSNotSupported
	case m.More() && !row.chained:
		c.line.Reset()
		return nil, apdu.SWChainingNotSupported
	case m.More():
		return nil, c.line.Keep(m, maxChainedBytes)
	}
	defer c.line.GiveUp()
	if sw := c.line.Join(m, maxChainedBytes); sw != apdu.OK {
		return nil, sw
	}
	data, sw := row.run(c, m)
	if c.persona.Quirks.NoMoreBytes && len(data) > m.Le {
		data = data[:m.Le]
	}
	return data, sw
}

// stale ends the consent that a VERIFY gave: "immediately before" is what SP
// 800-73-5 part 1 table 4 says, so any command in between ends it. A YubiKey
// keeps it until a key has used it.
func (c *Card) stale(ins byte) {
	const verify, generalAuthenticate, getResponse = 0x20, 0x87, 0xC0
	if !c.persona.Yubico && ins != verify && ins != generalAuthenticate && ins != getResponse {
		c.fresh = false
	}
}

// getResponse gives the rest of a long answer up if it is asked for wrongly.
func (c *Card) getResponse(m *command) ([]byte, apdu.Status) {
	data, sw := c.line.GetResponse(m)
	if sw != apdu.OK {
		c.line.Forget()
	}
	return data, sw
}
