package myeid

import (
	"bytes"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// The forms of SELECT, in P1 (ISO 7816-4 §7.1.1).
const (
	selectID           = 0x00
	selectChildDF      = 0x01
	selectChildEF      = 0x02
	selectParent       = 0x03
	selectName         = 0x04
	selectPathFromMF   = 0x08
	selectPathFromHere = 0x09
)

// P2 of SELECT: what is answered.
const (
	answerFCI     = 0x00
	answerNothing = 0x0C
)

// lcInconsistent says that Lc does not fit P1 P2.
const lcInconsistent apdu.Status = 0x6A87

func (c *Card) selectFile(m *command) ([]byte, apdu.Status) {
	if m.P2 != answerFCI && m.P2 != answerNothing {
		return nil, apdu.SWWrongP1P2
	}
	f, sw := c.find(m.P1, m.Data)
	if sw != apdu.OK {
		return nil, sw
	}
	c.current = f
	if m.P2 == answerNothing {
		return nil, apdu.OK
	}
	return c.fci(f), apdu.OK
}

// find looks a file up as SELECT does.
func (c *Card) find(form byte, data []byte) (*file, apdu.Status) {
	switch form {
	case selectID, selectChildDF, selectChildEF:
		return c.findByID(form, data)
	case selectParent:
		if len(data) != 0 {
			return nil, lcInconsistent
		}
		return found(c.current.parent)
	case selectName:
		if len(data) < 1 || len(data) > 16 {
			return nil, lcInconsistent
		}
		return found(c.findName(data))
	case selectPathFromMF, selectPathFromHere:
		if len(data) == 0 || len(data)%2 != 0 {
			return nil, lcInconsistent
		}
		if form == selectPathFromHere {
			return found(follow(c.current.directory(), data))
		}
		if fid(data) == fidMF {
			data = data[2:]
		}
		return found(follow(c.root, data))
	}
	return nil, apdu.SWWrongP1P2
}

func found(f *file) (*file, apdu.Status) {
	if f == nil {
		return nil, apdu.SWFileNotFound
	}
	return f, apdu.OK
}

func fid(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

func (c *Card) findByID(form byte, data []byte) (*file, apdu.Status) {
	if form == selectID && len(data) == 0 {
		return c.root, apdu.OK
	}
	if len(data) != 2 {
		return nil, lcInconsistent
	}
	id, df := fid(data), c.current.directory()
	switch form {
	case selectChildDF:
		if f := df.child(id); f != nil && f.isDF() {
			return f, apdu.OK
		}
		return nil, apdu.SWFileNotFound
	case selectChildEF:
		return found(df.childEF(id))
	}
	return found(c.near(df, id))
}

// near searches the environment in which identifiers are unique: the files in
// a DF, its parent, and the files beside it (ISO 7816-4 §7.1.1).
func (c *Card) near(df *file, id uint16) *file {
	if id == fidMF {
		return c.root
	}
	if f := df.child(id); f != nil {
		return f
	}
	if df.parent == nil {
		return nil
	}
	if df.parent.id == id {
		return df.parent
	}
	return df.parent.child(id)
}

// findName finds a DF by its name, or else by the beginning of it.
func (c *Card) findName(name []byte) *file {
	var exact, begun *file
	c.root.walk(func(f *file) {
		switch {
		case !f.isDF() || len(f.name) == 0:
		case bytes.Equal(f.name, name):
			exact = f
		case begun == nil && bytes.HasPrefix(f.name, name):
			begun = f
		}
	})
	if exact != nil {
		return exact
	}
	return begun
}

// follow walks a path of identifiers.
func follow(f *file, path []byte) *file {
	for ; f != nil && len(path) > 0; path = path[2:] {
		f = f.child(fid(path))
	}
	return f
}

// fci is the file control information, in the order that MyEID has it. The
// life cycle in it is the applet's.
func (c *Card) fci(f *file) []byte {
	out := make([]byte, 0, 45)
	out = append(out, 0x6F, 0x17,
		f.sizeTag, 2, byte(f.size>>8), byte(f.size),
		0x82, 1, byte(f.kind),
		0x83, 2, byte(f.id>>8), byte(f.id),
		0x86, 3, f.acl[0], f.acl[1], f.acl[2],
		0x85, 2, byte(f.prop>>8), byte(f.prop),
		0x8A, 1, c.lifeCycle)
	if len(f.name) > 0 {
		out = append(out, 0x84, byte(len(f.name)))
		out = append(out, f.name...)
	}
	out[1] = byte(len(out) - 2)
	return out
}

// Selects tells whether the card has an application of that name.
func (c *Card) Selects(name []byte) bool {
	return len(name) >= 1 && len(name) <= 16 && c.findName(name) != nil
}
