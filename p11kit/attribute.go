package p11kit

import (
	"encoding/binary"
	"math"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// Attributes travel by a class that the protocol fixes for each type; all that
// it does not list are byte arrays. The list is the protocol's, not the
// standard's: CKA_DESTROYABLE is a byte array.
type valueClass uint8

const (
	asBytes valueClass = iota
	asBool
	asUlong
	asMechanisms
	asTemplate
)

// classOf returns the class of an attribute's values, which clients from
// version 1 on know of more attributes.
func classOf(t object.Type, version byte) valueClass {
	if c, ok := classes[t]; ok {
		return c
	}
	if version >= 1 {
		return newerClasses[t]
	}
	return asBytes
}

var (
	classes = classTable(map[valueClass][]object.Type{
		asBool: {
			object.AttrToken.Type, object.AttrPrivate.Type, object.AttrTrusted.Type, object.AttrSensitive.Type,
			object.AttrEncrypt.Type, object.AttrDecrypt.Type, object.AttrWrap.Type, object.AttrUnwrap.Type,
			object.AttrSign.Type, object.AttrSignRecover.Type, object.AttrVerify.Type, object.AttrVerifyRecover.Type,
			object.AttrDerive.Type, object.AttrExtractable.Type, object.AttrLocal.Type, object.AttrNeverExtractable.Type,
			object.AttrAlwaysSensitive.Type, object.AttrModifiable.Type, object.AttrCopyable.Type, object.AttrSecondaryAuth.Type,
			object.AttrAlwaysAuthenticate.Type, object.AttrWrapWithTrusted.Type, object.AttrResetOnInit.Type, object.AttrHasReset.Type,
			object.AttrColor.Type,
		},
		asUlong: {
			object.AttrClass.Type, object.AttrCertificateType.Type, object.AttrCertificateCategory.Type, object.AttrKeyType.Type,
			object.AttrModulusBits.Type, object.AttrPrimeBits.Type, object.AttrSubprimeBits.Type, object.AttrValueBits.Type,
			object.AttrValueLen.Type, object.AttrKeyGenMechanism.Type, object.AttrHWFeatureType.Type, object.AttrMechanismType.Type,
			object.AttrAuthPINFlags.Type, object.AttrJavaMIDPSecurityDomain.Type, object.AttrPixelX.Type, object.AttrPixelY.Type,
			object.AttrResolution.Type, object.AttrCharRows.Type, object.AttrCharColumns.Type, object.AttrBitsPerPixel.Type,
		},
		asMechanisms: {object.AttrAllowedMechanisms.Type},
		asTemplate:   {object.AttrWrapTemplate.Type, object.AttrUnwrapTemplate.Type},
	})
	// The numbers are IBM's attributes, which clients know by number, too.
	newerClasses = classTable(map[valueClass][]object.Type{
		asBool:     {0x80010001, 0x80010002, 0x80010003, 0x80010004, 0x80010008, 0x8001000C, 0x8001000D},
		asUlong:    {0x80010005, 0x8001000A},
		asTemplate: {object.AttrDeriveTemplate.Type},
	})
)

func classTable(types map[valueClass][]object.Type) map[object.Type]valueClass {
	m := make(map[object.Type]valueClass)
	for c, list := range types {
		for _, t := range list {
			m[t] = c
		}
	}
	return m
}

// template is a field aA.
func (r *reader) template(depth int) object.Template {
	n := r.u32()
	if n > maxAttributes || depth > maxNesting {
		r.fail("template of %d attributes, %d deep", n, depth)
		return nil
	}
	var t object.Template
	for range n {
		if r.err != nil {
			return nil
		}
		typ := object.Type(r.u32())
		if r.byte() == 0 {
			t = append(t, object.Raw(typ, nil))
			continue
		}
		r.u32() // the length that a C caller sees
		t = append(t, r.value(typ, depth))
	}
	return t
}

func (r *reader) value(typ object.Type, depth int) object.Attribute {
	switch classOf(typ, r.offered) {
	case asBool:
		return object.Raw(typ, []byte{r.byte()})
	case asUlong:
		return object.Raw(typ, binary.LittleEndian.AppendUint64(nil, r.ulong()))
	case asMechanisms:
		n := r.u32()
		if n > maxArray {
			r.fail("%d mechanisms", n)
			return object.Attribute{}
		}
		var b []byte
		for range n {
			b = binary.LittleEndian.AppendUint64(b, r.ulong())
		}
		return object.Raw(typ, b)
	case asTemplate:
		return object.Attr[object.Template]{Type: typ}.Is(r.template(depth + 1))
	}
	b := r.array()
	return object.Raw(typ, append([]byte(nil), b...))
}

// wanted is an attribute that the caller asks for, and the room it has; for a
// template also the room for each attribute in it.
type wanted struct {
	typ    object.Type
	room   int
	null   bool
	nested []wanted
}

// buffers is a field fA, the last one of its call. Later clients tell of the
// room within templates, too; those of version 0.24 do not, whose field has
// eight bytes for each attribute.
func (r *reader) buffers() []wanted {
	flat := len(r.b) >= 4 && len(r.b)-4 == 8*int(binary.BigEndian.Uint32(r.b))
	return r.rooms(flat, 0)
}

func (r *reader) rooms(flat bool, depth int) (list []wanted) {
	n := r.u32()
	if n > maxAttributes || depth > maxNesting {
		r.fail("%d attributes, %d deep", n, depth)
		return nil
	}
	for range n {
		if r.err != nil {
			return nil
		}
		typ, room := object.Type(r.u32()), r.u32()
		want := wanted{typ: typ, room: int(room), null: room == 0}
		if !flat && classOf(typ, r.offered) == asTemplate {
			want.nested = r.rooms(flat, depth+1)
		}
		list = append(list, want)
	}
	return list
}

// values is the answer to fA: each attribute that was asked for, in order, and
// the code for all (PKCS #11 v3.2 §5.7.5).
func (w *writer) values(list []wanted, values []object.Value) {
	w.u32(uint32(len(list)))
	code := ckr.OK
	for i, want := range list {
		w.u32(uint32(want.typ))
		v := values[i]
		switch {
		case v.Code != ckr.OK:
			code = v.Code
			w.byte(0)
		case !want.holds(v.Attribute):
			if code == ckr.OK {
				code = ckr.BufferTooSmall
			}
			w.byte(0)
		default:
			w.byte(1)
			w.u32(uint32(sizeOf(v.Attribute)))
			w.value(v.Attribute, want)
		}
	}
	w.ulong(uint64(code))
}

// holds reports whether there is room for a value, or only its length is
// asked for.
func (want wanted) holds(a object.Attribute) bool {
	if want.null {
		return true
	}
	if want.room < sizeOf(a) {
		return false
	}
	nested, _ := a.Nested()
	for i, n := range nested {
		if !want.within(i).holds(n) {
			return false
		}
	}
	return true
}

// whole is what a client wants that has room for anything.
var whole = wanted{room: math.MaxInt}

// within is what is asked for of a template's attribute. Where the client does
// not tell it is all.
func (want wanted) within(i int) wanted {
	switch {
	case want.null:
		return wanted{null: true}
	case want.nested == nil:
		return whole
	case i < len(want.nested):
		return want.nested[i]
	default:
		return wanted{null: true}
	}
}

// sizeOf is the length that a C caller sees.
func sizeOf(a object.Attribute) int {
	if nested, ok := a.Nested(); ok {
		const sizeofAttribute = 24
		return sizeofAttribute * len(nested)
	}
	return len(a.Bytes())
}

// value writes a value, or only its length if no more is wanted.
func (w *writer) value(a object.Attribute, want wanted) {
	b, null := a.Bytes(), want.null
	switch classOf(a.Type, w.offered) {
	case asBool:
		if null || len(b) != 1 {
			b = []byte{0}
		}
		w.byte(b[0])
		return
	case asUlong:
		var n uint64
		if !null && len(b) == 8 {
			n = binary.LittleEndian.Uint64(b)
		}
		w.ulong(n)
		return
	case asMechanisms:
		w.u32(uint32(len(b) / 8))
		for ; len(b) >= 8; b = b[8:] {
			w.ulong(binary.LittleEndian.Uint64(b))
		}
		return
	case asTemplate:
		nested, _ := a.Nested()
		w.u32(uint32(len(nested)))
		for i, n := range nested {
			w.u32(uint32(n.Type))
			w.byte(1)
			w.u32(uint32(sizeOf(n)))
			w.value(n, want.within(i))
		}
		return
	}
	if null {
		w.u32(nullLength)
		return
	}
	w.array(b)
}
