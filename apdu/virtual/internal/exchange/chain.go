package exchange

import "github.com/go-cryptoki/cryptoki/apdu"

// chain is a command that comes in parts, ISO 7816-4 §5.3.3. A command that
// does not continue it has it given up silently: cards are tolerant.
type chain struct {
	open        bool
	ins, p1, p2 byte
	data        []byte
}

// Keep keeps one part of a command; max is how many bytes of body the parts
// may carry together.
func (h *chain) Keep(m *Command, max int) apdu.Status {
	if !h.continues(m) {
		h.GiveUp()
	}
	if len(h.data)+len(m.Data) > max {
		h.GiveUp()
		return apdu.SWWrongLength
	}
	h.open, h.ins, h.p1, h.p2 = true, m.INS, m.P1, m.P2
	h.data = append(h.data, m.Data...)
	return apdu.OK
}

// Join gives a command the parts that were kept before it, if it continues
// them. The caller gives the chain up once the command was executed.
func (h *chain) Join(m *Command, max int) apdu.Status {
	if !h.continues(m) {
		h.GiveUp()
		return apdu.OK
	}
	if len(h.data)+len(m.Data) > max {
		return apdu.SWWrongLength
	}
	h.data = append(h.data, m.Data...)
	m.Data = h.data
	return apdu.OK
}

func (h *chain) continues(m *Command) bool {
	return h.open && h.ins == m.INS && h.p1 == m.P1 && h.p2 == m.P2
}

// GiveUp forgets the parts; they may have been key material.
func (h *chain) GiveUp() {
	clear(h.data)
	*h = chain{data: h.data[:0]}
}
