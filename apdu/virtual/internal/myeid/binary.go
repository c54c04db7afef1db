package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// offset reads P1 P2 of the commands for transparent files. Addressing by
// short identifier (bit 8 of P1) is not known to the card.
func offset(m *command) (int, apdu.Status) {
	if m.P1&0x80 != 0 {
		return 0, apdu.SWWrongP1P2
	}
	return int(m.P1P2()), apdu.OK
}

// transparent checks that the current file is a transparent one and that a
// condition on it is met.
func (c *Card) transparent(condition func(acl) byte) (*file, apdu.Status) {
	f := c.current
	switch {
	case f.isDF():
		return nil, apdu.SWNoCurrentEF
	case !f.isEF():
		return nil, apdu.SWConditionsNotSatisfied
	case !c.allowed(condition(f.acl)):
		return nil, apdu.SWSecurityNotSatisfied
	}
	return f, apdu.OK
}

// readBinary answers what there is, with a warning if that is less than was
// asked for; Le 00 means up to the end (ISO 7816-4 §7.2.3).
func (c *Card) readBinary(m *command) ([]byte, apdu.Status) {
	from, sw := offset(m)
	if sw != apdu.OK {
		return nil, sw
	}
	f, sw := c.transparent(acl.read)
	if sw != apdu.OK {
		return nil, sw
	}
	if f.closed != nil {
		return nil, apdu.SWMemoryFailure // its PIN did not open it
	}
	if from >= len(f.content) {
		return nil, apdu.SWEndOfFile
	}
	rest := f.content[from:]
	if len(rest) >= m.Le {
		return rest[:m.Le:m.Le], apdu.OK
	}
	if m.Le == apdu.MaxShortLe {
		return rest, apdu.OK
	}
	return rest, apdu.SWEndOfFile
}

func (c *Card) updateBinary(m *command) ([]byte, apdu.Status) {
	from, sw := offset(m)
	if sw != apdu.OK {
		return nil, sw
	}
	f, sw := c.transparent(acl.update)
	if sw != apdu.OK {
		return nil, sw
	}
	if from+len(m.Data) > len(f.content) {
		return nil, apdu.SWWrongOffset
	}
	if sw := f.reach(from, from+len(m.Data)); sw != apdu.OK {
		return nil, sw
	}
	c.program(f, from, m.Data)
	c.wrote(1)
	return nil, apdu.OK
}

// pageSize is how many bytes of a file are written at once.
const pageSize = 64

// program writes into a file page by page, so that a loss of power leaves the
// first pages written and the others as they were.
func (c *Card) program(f *file, from int, data []byte) {
	c.journal.content(f)
	for len(data) > 0 {
		n := min(len(data), pageSize-from%pageSize)
		copy(f.content[from:], data[:n])
		f.wrote(from, from+n)
		from, data = from+n, data[n:]
		c.line.Wrote()
	}
}

// eraseBinary sets the file to FF from an offset to its end.
func (c *Card) eraseBinary(m *command) ([]byte, apdu.Status) {
	from, sw := offset(m)
	if sw != apdu.OK {
		return nil, sw
	}
	f, sw := c.transparent(acl.update)
	if sw != apdu.OK {
		return nil, sw
	}
	if from > len(f.content) {
		return nil, apdu.SWWrongOffset
	}
	if sw := f.reach(from, len(f.content)); sw != apdu.OK {
		return nil, sw
	}
	erased := make([]byte, len(f.content)-from)
	fill(erased)
	c.program(f, from, erased)
	c.wrote(1)
	return nil, apdu.OK
}

// fill writes the state of erased memory.
func fill(b []byte) {
	for i := range b {
		b[i] = 0xFF
	}
}
