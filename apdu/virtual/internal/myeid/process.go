package myeid

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
// least a status word and at most 258 bytes, and which the caller owns. The
// command is not kept. What the command changed is committed to the Store
// before Process returns. If the power fails meanwhile there is no response,
// and what was written until then is what was changed.
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
	m, sw := parse(raw)
	if sw == swOK {
		sw = checkClass(m.cla, m.ins)
	}
	if sw != swOK {
		c.forget(0)
		return answer(nil, sw)
	}
	c.running = m // here, so that it takes no memory of its own
	data, sw := c.execute(&c.running)
	c.running = command{}
	if c.failed() || c.commit() != nil {
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
	row := &instructions[m.ins]
	if row.run == nil {
		c.chain.drop()
		return nil, swInstruction
	}
	if c.chain.open && !c.chain.continues(m) {
		// The card is tolerant: a chain left open is given up silently.
		c.chain.drop()
	}
	if m.more() && !c.streams(m) {
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
	if !row.shape.fits(m) {
		return nil, swLength
	}
	return row.run(c, m)
}

// collect keeps one part of a command (ISO 7816-4 §5.3.3).
func (c *Card) collect(m *command, row *instruction) status {
	if row.shape&chained == 0 {
		return swChaining
	}
	h := &c.chain
	if len(m.data) == 0 || len(h.data)+len(m.data) > maxChainedBytes {
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
	if len(data) == 0 || ne == 0 {
		return answer(nil, sw)
	}
	if len(data) <= ne {
		c.pending = nil
		return answer(data, sw)
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
