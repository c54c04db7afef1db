package pkcs15

import (
	"fmt"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// Tags of EF.ODF: the kinds of directories.
const (
	dirPrivate      tlv.Tag = 0xA0
	dirPublic       tlv.Tag = 0xA1
	dirPublicTrust  tlv.Tag = 0xA2
	dirSecret       tlv.Tag = 0xA3
	dirCerts        tlv.Tag = 0xA4
	dirCertsTrusted tlv.Tag = 0xA5
	dirCertsUseful  tlv.Tag = 0xA6
	dirData         tlv.Tag = 0xA7
	dirAuth         tlv.Tag = 0xA8
)

// classes of the objects in each kind of directory.
var dirClass = map[tlv.Tag]object.Class{
	dirPrivate:      object.ClassPrivateKey,
	dirPublic:       object.ClassPublicKey,
	dirPublicTrust:  object.ClassPublicKey,
	dirSecret:       object.ClassSecretKey,
	dirCerts:        object.ClassCertificate,
	dirCertsTrusted: object.ClassCertificate,
	dirCertsUseful:  object.ClassCertificate,
	dirData:         object.ClassData,
}

// Bits of KeyUsageFlags, in their order, and the attributes they stand for.
var usageAttrs = []object.Attr[bool]{
	object.AttrEncrypt, object.AttrDecrypt, object.AttrSign, object.AttrSignRecover, object.AttrWrap,
	object.AttrUnwrap, object.AttrVerify, object.AttrVerifyRecover, object.AttrDerive,
}

// nonRepudiation is the usage bit that PKCS #11 has no attribute for; a key
// that has it signs.
const nonRepudiation = 9

// Bits of KeyAccessFlags.
var accessAttrs = []object.Attr[bool]{
	object.AttrSensitive, object.AttrExtractable, object.AttrAlwaysSensitive, object.AttrNeverExtractable, object.AttrLocal,
}

// Bits of CommonObjectFlags.
const (
	flagPrivate    = 0
	flagModifiable = 1
)

// entry is one object as a directory has it. Its bytes are kept, so that what
// we do not know survives a change.
type entry struct {
	dir  *dirFile
	raw  []byte
	node tlv.Node

	label   string
	flags   bits
	authID  []byte
	consent int

	id     []byte
	usage  bits
	access bits
	algs   []int  // references to algorithms of TokenInfo
	sub    []byte // content of the subclass attributes
	app    string // data: application
	oid    []byte // data: DER of the OID
	ca     bool   // certificate: authority

	path   path
	direct []byte // value held in the entry itself
	bits   int    // modulus, field or key length

	side object.Template // attributes kept in a side file
	able abilities       // what the card does with the key; made once
}

// parseEntry reads an entry of a directory.
func parseEntry(d *dirFile, raw []byte) (*entry, error) {
	node, err := one(raw)
	if err != nil {
		return nil, err
	}
	e := &entry{dir: d, raw: raw, node: node}
	c := e.node.Children
	if len(c) < 3 || c[0].Tag != tagSeq || c[1].Tag != tagSeq {
		return nil, fmt.Errorf("directory entry: %w", errForm)
	}
	e.parseCommon(c[0].Children)
	switch dirClass[d.kind] {
	case object.ClassData:
		e.parseDataClass(c[1].Children)
	case object.ClassCertificate:
		e.parseCertClass(c[1].Children)
	default:
		e.parseKeyClass(c[1].Children)
	}
	if sub, ok := find(c[2:], tagContext); ok {
		e.sub = sub.Value
	}
	typ, ok := find(c[2:], tagContext+1)
	if !ok || len(typ.Children) == 0 {
		return nil, fmt.Errorf("directory entry without type attributes: %w", errForm)
	}
	return e, e.parseType(typ.Children[0])
}

func (e *entry) parseCommon(ns []tlv.Node) {
	for _, n := range ns {
		switch n.Tag {
		case tagUTF8:
			e.label = string(n.Value)
		case tagBits:
			e.flags, _ = parseBits(n.Value)
		case tagOctets:
			e.authID = n.Value
		case tagInt:
			e.consent, _ = unsigned(n.Value)
		}
	}
}

func (e *entry) parseKeyClass(ns []tlv.Node) {
	seen := 0 // BIT STRINGs: usage, then access flags
	for _, n := range ns {
		switch n.Tag {
		case tagOctets:
			e.id = n.Value
		case tagBits:
			b, _ := parseBits(n.Value)
			if seen == 0 {
				e.usage = b
			} else {
				e.access = b
			}
			seen++
		case tagContext + 1:
			for _, a := range n.Children {
				if ref, ok := unsigned(a.Value); ok {
					e.algs = append(e.algs, ref)
				}
			}
		}
	}
}

func (e *entry) parseCertClass(ns []tlv.Node) {
	for _, n := range ns {
		switch n.Tag {
		case tagOctets:
			e.id = n.Value
		case tagBool:
			e.ca = len(n.Value) == 1 && n.Value[0] != 0
		}
	}
}

func (e *entry) parseDataClass(ns []tlv.Node) {
	for _, n := range ns {
		switch n.Tag {
		case tagUTF8:
			e.app = string(n.Value)
		case tagOID:
			e.oid = n.Raw
		}
	}
}

// parseType reads the type attributes: where the value is, and its length.
func (e *entry) parseType(n tlv.Node) (err error) {
	base := e.dir.base
	if dirClass[e.dir.kind] == object.ClassData {
		if n.Tag != tagSeq {
			e.direct = n.Value
			return nil
		}
		e.path, err = parsePath(n, base)
		return err
	}
	if len(n.Children) == 0 {
		return fmt.Errorf("type attributes: %w", errForm)
	}
	switch value := n.Children[0]; value.Tag {
	case tagSeq:
		if len(value.Children) == 0 { // an empty Path: the key has no file
			break
		}
		if e.path, err = parsePath(value, base); err != nil {
			return err
		}
	case tagContext:
		e.direct = value.Value
	}
	for _, c := range n.Children[1:] {
		if c.Tag == tagInt {
			e.bits, _ = unsigned(c.Value)
			break
		}
	}
	if dirClass[e.dir.kind] == object.ClassSecretKey {
		e.parseKeyLen()
	}
	return nil
}

func (e *entry) parseKeyLen() {
	ns, err := tlv.Decode(e.sub)
	if err != nil {
		return
	}
	for _, n := range ns {
		if l, ok := find(n.Children, tagInt); ok && n.Tag == tagSeq {
			e.bits, _ = unsigned(l.Value)
		}
	}
}

// private reports whether only the user may know of the object.
func (e *entry) private() bool { return e.flags.has(flagPrivate) }

// fid is the file that holds the value, 0 if there is none.
func (e *entry) fid() uint16 {
	n := len(e.path.file)
	if n < 2 {
		return 0
	}
	return uint16(e.path.file[n-2])<<8 | uint16(e.path.file[n-1])
}

// build makes the bytes of an entry from what it says.
func (e *entry) build(tag tlv.Tag) {
	var sub []byte
	if len(e.sub) > 0 {
		sub = tlv.New(tagContext, e.sub)
	}
	e.raw = tlv.New(tag, e.common(), e.class(), sub, tlv.New(tagContext+1, e.typeAttrs()))
	if n, err := one(e.raw); err == nil {
		e.node = n
	}
}

func (e *entry) common() []byte {
	var b []byte
	if e.label != "" {
		b = tlv.Append(b, tagUTF8, []byte(e.label))
	}
	b = append(b, e.flags.der()...)
	if len(e.authID) > 0 {
		b = tlv.Append(b, tagOctets, e.authID)
	}
	if e.consent > 0 {
		b = append(b, derInt(tagInt, e.consent)...)
	}
	return tlv.New(tagSeq, b)
}

func (e *entry) class() []byte {
	switch dirClass[e.dir.kind] {
	case object.ClassData:
		var b []byte
		if e.app != "" {
			b = tlv.Append(b, tagUTF8, []byte(e.app))
		}
		return tlv.New(tagSeq, b, e.oid)
	case object.ClassCertificate:
		if e.ca {
			return tlv.New(tagSeq, tlv.New(tagOctets, e.id), derBool(true))
		}
		return tlv.New(tagSeq, tlv.New(tagOctets, e.id))
	case object.ClassPublicKey:
		return tlv.New(tagSeq, tlv.New(tagOctets, e.id), e.usage.der(), derBool(false), e.accessDER(), derInt(tagInt, 0))
	}
	var algs []byte
	for _, a := range e.algs {
		algs = append(algs, derInt(tagInt, a)...)
	}
	if len(algs) > 0 {
		algs = tlv.New(tagContext+1, algs)
	}
	ref := derInt(tagInt, int(e.fid()&0xFF))
	return tlv.New(tagSeq, tlv.New(tagOctets, e.id), e.usage.der(), e.accessDER(), ref, algs)
}

// accessDER is left out where no bit is set, as it is OPTIONAL.
func (e *entry) accessDER() []byte {
	if e.access == 0 {
		return nil
	}
	return e.access.der()
}

func (e *entry) typeAttrs() []byte {
	p := e.path.der()
	if dirClass[e.dir.kind] == object.ClassData {
		return p
	}
	if e.bits > 0 && dirClass[e.dir.kind] != object.ClassSecretKey {
		return tlv.New(tagSeq, p, derInt(tagInt, e.bits))
	}
	return tlv.New(tagSeq, p)
}

// edit writes changed common and class attributes into the bytes of an entry
// that may have been made by somebody else: elements that we do not know stay
// where they are.
func (e *entry) edit(old *entry) {
	c := e.node.Children
	common := merge(c[0].Children, e.commonParts())
	class := merge(c[1].Children, e.classParts(old))
	rest := raws(c[2:])
	if typ, ok := find(c[2:], tagContext+1); ok && !samePath(e.path, old.path) {
		rest = replaced(c[2:], typ, tlv.New(tagContext+1, e.movedType(typ)))
	}
	e.raw = tlv.New(e.node.Tag, tlv.New(tagSeq, common), tlv.New(tagSeq, class), rest)
	if n, err := one(e.raw); err == nil {
		e.node = n
	}
}

func samePath(a, b path) bool {
	return string(a.file) == string(b.file) && a.window == b.window && a.index == b.index && a.length == b.length
}

// replaced joins nodes with one of them replaced.
func replaced(ns []tlv.Node, old tlv.Node, with []byte) (b []byte) {
	for _, n := range ns {
		if n.Tag == old.Tag {
			b = append(b, with...)
		} else {
			b = append(b, n.Raw...)
		}
	}
	return b
}

// movedType is the type attributes with another path.
func (e *entry) movedType(typ tlv.Node) []byte {
	if dirClass[e.dir.kind] == object.ClassData {
		return append(e.path.der(), raws(typ.Children[1:])...)
	}
	inner := typ.Children[0]
	return append(tlv.New(tagSeq, e.path.der(), raws(inner.Children[1:])), raws(typ.Children[1:])...)
}

// part is an element as it shall be: at its first place among those of its
// tag, or left out if der is empty.
type part struct {
	tag   tlv.Tag
	nth   int // among the elements of that tag
	der   []byte
	order int // where it belongs if it was not there
}

// merge puts parts into a list of elements.
func merge(old []tlv.Node, parts []part) []byte {
	var out []byte
	seen := map[tlv.Tag]int{}
	done := make([]bool, len(parts))
	emit := func(upTo int) {
		for i, p := range parts {
			if !done[i] && p.order < upTo {
				done[i] = true
				out = append(out, p.der...)
			}
		}
	}
	for _, n := range old {
		at := -1
		for i, p := range parts {
			if p.tag == n.Tag && p.nth == seen[n.Tag] {
				at = i
			}
		}
		seen[n.Tag]++
		if at < 0 {
			out = append(out, n.Raw...)
			continue
		}
		emit(parts[at].order)
		if !done[at] {
			out = append(out, parts[at].der...)
			done[at] = true
		}
	}
	emit(1 << 30)
	return out
}

func (e *entry) commonParts() []part {
	var label []byte
	if e.label != "" {
		label = tlv.New(tagUTF8, []byte(e.label))
	}
	return []part{{tagUTF8, 0, label, 0}, {tagBits, 0, e.flags.der(), 1}}
}

func (e *entry) classParts(old *entry) []part {
	switch dirClass[e.dir.kind] {
	case object.ClassData:
		var app []byte
		if e.app != "" {
			app = tlv.New(tagUTF8, []byte(e.app))
		}
		return []part{{tagUTF8, 0, app, 0}, {tagOID, 0, e.oid, 1}}
	case object.ClassCertificate:
		var ca []byte
		if e.ca {
			ca = derBool(true)
		}
		return []part{{tagOctets, 0, tlv.New(tagOctets, e.id), 0}, {tagBool, 0, ca, 1}}
	}
	parts := []part{{tagOctets, 0, tlv.New(tagOctets, e.id), 0}, {tagBits, 0, e.usage.der(), 1}}
	if e.access != old.access {
		parts = append(parts, part{tagBits, 1, e.accessDER(), 3})
	}
	return parts
}
