package myeid

import (
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
)

const maxFileSize = 0x7FFF // what a 15-bit offset reaches

// createFile makes a file in the current DF and selects it (ISO 7816-9 §9.2).
func (c *Card) createFile(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	f, sw := parseFCP(m.Data)
	if sw != apdu.OK {
		return nil, sw
	}
	df := c.current.directory()
	if sw := c.mayCreate(df, f); sw != apdu.OK {
		return nil, sw
	}
	f.uid = c.uid()
	if f.isEF() {
		f.content = make([]byte, f.size)
		fill(f.content)
	}
	c.attach(df, f)
	c.current = f
	c.line.Wrote()
	c.wrote(1)
	return nil, apdu.OK
}

func (c *Card) mayCreate(df, f *file) apdu.Status {
	condition := acl.createEF
	if f.isDF() {
		condition = acl.createDF
	}
	switch {
	case !c.allowed(condition(df.acl)):
		return apdu.SWSecurityNotSatisfied
	case df.child(f.id) != nil, len(f.name) > 0 && c.nameTaken(f.name):
		return apdu.SWFileExists
	case !c.persona.offers(f.kind, int(f.size)):
		return apdu.SWFunctionNotSupported
	case c.used+f.cost() > c.persona.Capacity:
		return apdu.SWNoMemory
	}
	return apdu.OK
}

func (c *Card) nameTaken(name []byte) bool {
	f := c.findName(name)
	return f != nil && string(f.name) == string(name)
}

// parseFCP reads the file control parameters of CREATE FILE. Sizes, type and
// identifier must be there; tags that the card does not know are refused.
func parseFCP(data []byte) (*file, apdu.Status) {
	if len(data) < 2 || data[0] != 0x62 || int(data[1]) != len(data)-2 || data[1] > 0x7F {
		return nil, apdu.SWReferenceNotUsable
	}
	f := &file{}
	var seen [256]bool
	for rest := data[2:]; ; {
		tag, value, after, ok := nextTLV(rest)
		if !ok {
			return nil, apdu.SWReferenceNotUsable
		}
		if value == nil {
			break
		}
		rest = after
		if !f.setParameter(tag, value) {
			return nil, apdu.SWReferenceNotUsable
		}
		if tag == 0x81 {
			tag = 0x80 // one or the other
		}
		if seen[tag] {
			return nil, apdu.SWReferenceNotUsable
		}
		seen[tag] = true
	}
	if !seen[0x80] || !seen[0x82] || !seen[0x83] {
		return nil, apdu.SWReferenceNotUsable
	}
	return f, f.settle()
}

// setParameter takes one parameter and tells whether it makes sense.
func (f *file) setParameter(tag byte, value []byte) bool {
	switch tag {
	case 0x80, 0x81:
		if len(value) > 2 || (tag == 0x81 && len(value) != 2) {
			return false
		}
		f.sizeTag = tag
		for _, b := range value {
			f.size = f.size<<8 | uint16(b)
		}
		return f.size <= maxFileSize
	case 0x82:
		f.kind = kind(value[0])
		return len(value) <= 6 && f.kind.known()
	case 0x83:
		if len(value) != 2 {
			return false
		}
		f.id = fid(value)
		return f.id != 0 && f.id != fidMF && f.id != fidCurrent && f.id != fidNone
	case 0x84:
		f.name = append([]byte(nil), value...)
		return len(value) <= 16
	case 0x85:
		if len(value) != 2 {
			return false
		}
		f.prop = binary.BigEndian.Uint16(value)
		return true
	case 0x86:
		return len(value) == len(f.acl) && copy(f.acl[:], value) == len(f.acl)
	case 0x8A:
		return len(value) == 1 // the applet's own state counts
	}
	return false
}

// settle checks what depends on several parameters.
func (f *file) settle() apdu.Status {
	if f.isDF() {
		if f.sizeTag != 0x81 {
			return apdu.SWReferenceNotUsable
		}
		return apdu.OK
	}
	if len(f.name) > 0 {
		return apdu.SWReferenceNotUsable
	}
	if f.kind.isKey() {
		// A key file is valid once a key is in it, whatever its creator says.
		f.prop &^= propValid | propGenerated
	}
	return apdu.OK
}

// nextTLV takes one object with a one-byte tag and length off b, skipping the
// bytes 00 and FF that may stand between objects. At the end value is nil.
// Empty objects are refused.
func nextTLV(b []byte) (tag byte, value, rest []byte, ok bool) {
	for len(b) > 0 && (b[0] == 0x00 || b[0] == 0xFF) {
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, nil, nil, true
	}
	if len(b) < 2 || b[1] == 0 || b[1] > 0x7F || int(b[1]) > len(b)-2 {
		return 0, nil, nil, false
	}
	n := 2 + int(b[1])
	return b[0], b[2:n], b[n:], true
}
