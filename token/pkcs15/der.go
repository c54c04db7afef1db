package pkcs15

import (
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Universal tags of DER, and the context tags that PKCS #15 uses.
const (
	tagBool    tlv.Tag = 0x01
	tagInt     tlv.Tag = 0x02
	tagBits    tlv.Tag = 0x03
	tagOctets  tlv.Tag = 0x04
	tagOID     tlv.Tag = 0x06
	tagEnum    tlv.Tag = 0x0A
	tagUTF8    tlv.Tag = 0x0C
	tagTime    tlv.Tag = 0x18
	tagSeq     tlv.Tag = 0x30
	tagPrim0   tlv.Tag = 0x80
	tagContext tlv.Tag = 0xA0 // [0], constructed; [n] is tagContext+n
)

var errForm = errors.New("not as ISO 7816-15 has it")

// unsigned reads a small non-negative INTEGER. Some cards leave the sign byte
// out, so that large values look negative: the bytes count as they are.
func unsigned(b []byte) (int, bool) {
	if len(b) == 0 || len(b) > 4 {
		return 0, false
	}
	n := 0
	for _, x := range b {
		n = n<<8 | int(x)
	}
	return n, n >= 0 && n < 1<<24
}

// appendInt appends a non-negative INTEGER.
func derInt(tag tlv.Tag, n int) []byte {
	b := []byte{byte(n)}
	for n >>= 8; n > 0; n >>= 8 {
		b = append([]byte{byte(n)}, b...)
	}
	if b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv.New(tag, b)
}

// bits is a named bit list: bit n of PKCS #15 is 1<<n.
type bits uint32

func (b bits) has(n uint) bool { return b&(1<<n) != 0 }

func bitsOf(set ...bool) (b bits) {
	for i, s := range set {
		if s {
			b |= 1 << i
		}
	}
	return b
}

// parseBits reads a BIT STRING; bit 0 is the first that is sent.
func parseBits(v []byte) (b bits, ok bool) {
	if len(v) == 0 || v[0] > 7 {
		return 0, false
	}
	for i, x := range v[1:] {
		for j := range 8 {
			n := 8*i + j
			if n < 32 && x&(0x80>>j) != 0 {
				b |= 1 << n
			}
		}
	}
	return b, true
}

// der writes a BIT STRING without trailing zero bits.
func (b bits) der() []byte {
	var v []byte
	unused := 0
	for n := range 32 {
		if !b.has(uint(n)) {
			continue
		}
		for len(v) <= n/8 {
			v = append(v, 0)
		}
		v[n/8] |= 0x80 >> (n % 8)
		unused = 7 - n%8
	}
	return tlv.New(tagBits, []byte{byte(unused)}, v)
}

func derBool(v bool) []byte {
	if v {
		return tlv.New(tagBool, []byte{0xFF})
	}
	return tlv.New(tagBool, []byte{0})
}

// path is a Path of ISO 7816-15: a file, or a part of it.
type path struct {
	file   []byte // FIDs, from 3F00 on
	window bool
	index  int
	length int
}

// maxPath is the longest path in bytes; ours have two or three FIDs.
const maxPath = 16

// parsePath reads a Path, joining a relative one to the directory.
func parsePath(n tlv.Node, base []byte) (path, error) {
	if n.Tag != tagSeq || len(n.Children) == 0 || n.Children[0].Tag != tagOctets {
		return path{}, fmt.Errorf("path: %w", errForm)
	}
	p := path{file: n.Children[0].Value}
	if len(p.file)%2 != 0 || len(p.file) > maxPath {
		return path{}, fmt.Errorf("path of %d bytes: %w", len(p.file), errForm)
	}
	if len(p.file) > 0 && (len(p.file) < 2 || p.file[0] != 0x3F || p.file[1] != 0x00) {
		p.file = append(append([]byte(nil), base...), p.file...)
	}
	var index, length bool
	for _, c := range n.Children[1:] {
		var ok bool
		switch c.Tag {
		case tagInt:
			p.index, ok = unsigned(c.Value)
			index = ok
		case tagPrim0:
			p.length, ok = unsigned(c.Value)
			length = ok
		default:
			ok = true
		}
		if !ok {
			return path{}, fmt.Errorf("path: %w", errForm)
		}
	}
	p.window = index && length
	return p, nil
}

func (p path) der() []byte {
	if !p.window {
		return tlv.New(tagSeq, tlv.New(tagOctets, p.file))
	}
	return tlv.New(tagSeq, tlv.New(tagOctets, p.file), derInt(tagInt, p.index), derInt(tagPrim0, p.length))
}

// cut returns the part of a file that the path means.
func (p path) cut(b []byte) ([]byte, error) {
	if !p.window {
		return b, nil
	}
	if p.index > len(b) || p.length > len(b)-p.index {
		return nil, fmt.Errorf("bytes %d to %d of a file with %d", p.index, p.index+p.length, len(b))
	}
	return b[p.index : p.index+p.length], nil
}

// one reads a single element as a tree.
func one(b []byte) (tlv.Node, error) {
	ns, err := tlv.Decode(b)
	if err != nil {
		return tlv.Node{}, err
	}
	if len(ns) != 1 {
		return tlv.Node{}, fmt.Errorf("%d elements for one: %w", len(ns), errForm)
	}
	return ns[0], nil
}

// find returns the first child with a tag.
func find(ns []tlv.Node, tag tlv.Tag) (tlv.Node, bool) {
	for _, n := range ns {
		if n.Tag == tag {
			return n, true
		}
	}
	return tlv.Node{}, false
}

// raws joins the encodings of nodes.
func raws(ns []tlv.Node) (b []byte) {
	for _, n := range ns {
		b = append(b, n.Raw...)
	}
	return b
}

// entries splits a directory file at its end: the first byte 00 or FF where a
// tag would be, or what is no TLV any more.
func entries(b []byte) (list [][]byte, used int, err error) {
	for used < len(b) && b[used] != 0x00 && b[used] != 0xFF {
		e, _, err := tlv.Next(b[used:])
		if err != nil {
			return list, used, err
		}
		if len(list) == maxEntries {
			return list, used, fmt.Errorf("more than %d entries", maxEntries)
		}
		list = append(list, e.Raw)
		used += len(e.Raw)
	}
	return list, used, nil
}

// maxEntries bounds a directory; no card has memory for so many objects.
const maxEntries = 512

// complete reports whether b holds whole entries up to an end, or may grow to
// need more bytes.
func complete(b []byte) bool {
	for len(b) > 0 && b[0] != 0x00 && b[0] != 0xFF {
		_, rest, err := tlv.Next(b)
		if err != nil {
			return false
		}
		b = rest
	}
	return len(b) > 0
}
