package piv

// chain is a command that comes in parts.
type chain struct {
	open        bool
	ins, p1, p2 byte
	data        []byte
}

func (h *chain) continues(m *command) bool {
	return h.open && h.ins == m.ins && h.p1 == m.p1 && h.p2 == m.p2
}

// drop forgets the parts; they may have been key material.
func (h *chain) drop() {
	clear(h.data)
	*h = chain{data: h.data[:0]}
}

// Process executes one command APDU and returns the response, which is at
// least a status word and which the caller owns. The command is not kept. What
// the command changed is committed to the Store before Process returns. If the
// power fails meanwhile there is no response, and what was written until then
// is what was changed.
func (c *Card) Process(raw []byte) []byte {
	answer, cut := c.power.Run(func() []byte { return c.process(raw) })
	if !cut {
		return answer
	}
	c.running = command{}
	c.commit()
	return nil
}

func (c *Card) process(raw []byte) []byte {
	m, sw := parse(raw, c.persona.Extended)
	if sw == swOK {
		sw = checkClass(m.cla)
	}
	if sw != swOK {
		c.fresh = c.fresh && c.persona.Yubico
		c.forget(0)
		return answer(nil, sw)
	}
	c.running = m
	data, sw := c.execute(&c.running)
	c.running = command{}
	if c.broken || c.commit() != nil {
		data, sw = nil, swMemory
	}
	return c.deliver(data, sw, m.ne)
}

// forget drops what does not outlive a command other than ins: the rest of a
// long answer.
func (c *Card) forget(ins byte) {
	if ins != insGetResponse && c.pending != nil {
		clear(c.pending)
		c.pending = nil
	}
}

// execute runs a command, or keeps it as a part of one.
func (c *Card) execute(m *command) ([]byte, status) {
	c.forget(m.ins)
	c.stale(m.ins)
	row, ok := c.lookup(m.ins)
	if !ok {
		c.chain.drop()
		return nil, swInstruction
	}
	if c.chain.open && !c.chain.continues(m) {
		c.chain.drop()
	}
	if m.more() {
		return nil, c.collect(m, row)
	}
	if c.chain.open {
		defer c.chain.drop()
		if len(c.chain.data)+len(m.data) > maxChainedBytes {
			return nil, swLength
		}
		c.chain.data = append(c.chain.data, m.data...)
		m.data = c.chain.data
	}
	return row.run(c, m)
}

// stale ends the consent that a VERIFY gave: "immediately before" is what SP
// 800-73-5 part 1 table 4 says, so any command in between ends it. A YubiKey
// keeps it until a key has used it.
func (c *Card) stale(ins byte) {
	const verify, generalAuthenticate = 0x20, 0x87
	if !c.persona.Yubico && ins != verify && ins != generalAuthenticate && ins != insGetResponse {
		c.fresh = false
	}
}

// collect keeps one part of a command (ISO 7816-4 §5.3.3).
func (c *Card) collect(m *command, row instruction) status {
	if !row.chained {
		return swChaining
	}
	h := &c.chain
	if len(h.data)+len(m.data) > maxChainedBytes {
		h.drop()
		return swLength
	}
	h.open, h.ins, h.p1, h.p2 = true, m.ins, m.p1, m.p2
	h.data = append(h.data, m.data...)
	return swOK
}

// deliver answers with as much as was asked for and keeps the rest for GET
// RESPONSE.
func (c *Card) deliver(data []byte, sw status, ne int) []byte {
	if len(data) <= ne {
		c.pending = nil
		return answer(data, sw)
	}
	if c.persona.Quirks.NoMoreBytes {
		return answer(data[:ne], sw)
	}
	c.pending = data[ne:]
	rest := len(c.pending)
	if rest > 0xFF {
		rest = 0
	}
	return answer(data[:ne], swMore|status(rest))
}

func (c *Card) getResponse(m *command) ([]byte, status) {
	if m.p1p2() != 0 {
		return nil, swP1P2
	}
	if len(c.pending) == 0 {
		return nil, swConditions
	}
	return c.pending, swOK
}

func answer(data []byte, sw status) []byte {
	out := make([]byte, 0, len(data)+2)
	out = append(out, data...)
	return append(out, byte(sw>>8), byte(sw))
}
