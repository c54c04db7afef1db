package p11kit

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds of what a client may send.
const (
	maxMessage    = 16 << 20 // bytes of options and body
	maxAttributes = 4096     // of one template
	maxNesting    = 8        // of templates in templates
	maxArray      = 1 << 16  // numbers of one array
)

// errWire says that a message does not follow the protocol. The connection is
// dropped then.
var errWire = errors.New("malformed message")

// nullLength is the length of a byte array that is NULL.
const nullLength = 0xFFFFFFFF

// reader takes the fields of a message. After the first error it reads zeros.
type reader struct {
	b       []byte
	offered byte   // the client's version
	rest    string // the signature of the fields after the mechanism of the call
	flag    []byte // what came after the mechanism's type, to tell of a parameter
	err     error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errWire, fmt.Sprintf(format, args...))
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail("%d bytes wanted, %d left", n, len(r.b))
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// byte is a field y.
func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// u32 is a number within other fields.
func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// ulong is a field u.
func (r *reader) ulong() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// array is a byte array within other fields; nil if it is NULL.
func (r *reader) array() []byte {
	n := r.u32()
	if n == nullLength {
		return nil
	}
	if n > maxMessage {
		r.fail("array of %d bytes", n)
		return nil
	}
	b := r.take(int(n))
	if b == nil && r.err == nil {
		b = []byte{}
	}
	return b
}

// bytes is a field ay; nil if the caller gave NULL.
func (r *reader) bytes() []byte {
	if r.byte() == 0 {
		r.u32()
		return nil
	}
	b := r.array()
	if b == nil {
		b = []byte{}
	}
	return b
}

// room is a field fy or fu: how much the caller's buffer holds.
func (r *reader) room() room {
	n := r.u32()
	switch n {
	case 0:
		return room{query: true}
	case nullLength:
		return room{}
	}
	return room{size: int(n)}
}

// room is the space of a caller's buffer; a query has none and asks for the
// length.
type room struct {
	query bool
	size  int
}

// writer makes the fields of a message.
type writer struct {
	b       []byte
	offered byte // the client's version
}

func (w *writer) byte(v byte)    { w.b = append(w.b, v) }
func (w *writer) u32(v uint32)   { w.b = binary.BigEndian.AppendUint32(w.b, v) }
func (w *writer) ulong(v uint64) { w.b = binary.BigEndian.AppendUint64(w.b, v) }

func (w *writer) array(v []byte) {
	w.u32(uint32(len(v)))
	w.b = append(w.b, v...)
}

func (w *writer) text(v string) {
	w.u32(uint32(len(v)))
	w.b = append(w.b, v...)
}

// bytes is a field ay.
func (w *writer) bytes(v []byte) {
	w.byte(1)
	w.array(v)
}

// length is a field ay or au that tells only how long it would be.
func (w *writer) length(n int) {
	w.byte(0)
	w.u32(uint32(n))
}

// ulongs is a field au.
func (w *writer) ulongs(v []uint64) {
	w.byte(1)
	w.u32(uint32(len(v)))
	for _, n := range v {
		w.ulong(n)
	}
}

// fixed is a field s: blank-padded, cut to whole UTF-8 characters.
func (w *writer) fixed(s string, size int) {
	if len(s) > size {
		n := size
		for n > 0 && s[n]&0xC0 == 0x80 {
			n--
		}
		s = s[:n]
	}
	w.u32(uint32(size))
	w.b = append(w.b, s...)
	for range size - len(s) {
		w.b = append(w.b, ' ')
	}
}

func (w *writer) version(v [2]byte) { w.b = append(w.b, v[0], v[1]) }
