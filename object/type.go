package object

import (
	"cmp"
	"fmt"
	"slices"
)

// Type is the type of an attribute, a CK_ATTRIBUTE_TYPE.
type Type uint64

// Kind says how the value of an attribute is encoded.
type Kind uint8

// The kinds of values and their canonical encodings.
const (
	KindBytes      Kind = iota // as they are
	KindBool                   // one byte, 0 or 1
	KindUlong                  // 8 bytes, little endian
	KindString                 // UTF-8
	KindBigInteger             // big endian without leading zeros; zero is empty
	KindDate                   // 8 digits, YYYYMMDD, or empty
	KindUlongArray             // 8 bytes each, little endian
	KindTemplate               // a nested template, no bytes
	KindVersion                // major and minor, a byte each
)

var kindNames = [...]string{"bytes", "bool", "ulong", "string", "big integer", "date", "ulong array", "template", "version"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

type attributeRow struct {
	typ    Type
	name   string
	kind   Kind
	secret bool // some class hides it
}

func find(t Type) (attributeRow, bool) {
	i, ok := slices.BinarySearchFunc(attributes[:], t, func(r attributeRow, t Type) int { return cmp.Compare(r.typ, t) })
	if !ok {
		return attributeRow{}, false
	}
	return attributes[i], true
}

// String returns the name that the standard gives the attribute, such as
// "CKA_LABEL", or its number, "CKA_0x80000001".
func (t Type) String() string {
	if row, ok := find(t); ok {
		return row.name
	}
	return fmt.Sprintf("CKA_0x%08x", uint64(t))
}

// Known reports whether the standard has the attribute.
func (t Type) Known() bool {
	_, ok := find(t)
	return ok
}

// Vendor reports whether the attribute lies in the range that the standard
// leaves to makers of tokens.
func (t Type) Vendor() bool { return t >= TypeVendorDefined }

// Kind returns how values of the attribute are encoded: [KindBytes] for
// attributes that the standard does not have, and for those, as CKA_VALUE, whose
// kind depends on the object.
func (t Type) Kind() Kind {
	row, _ := find(t)
	return row.kind
}

// ParseType returns the attribute that the standard calls name, such as
// "CKA_LABEL". Names that stand for others, such as "CKA_ECDSA_PARAMS", are
// understood.
func ParseType(name string) (Type, bool) {
	for _, rows := range [...][]attributeRow{attributes[:], aliases[:]} {
		for _, row := range rows {
			if row.name == name {
				return row.typ, true
			}
		}
	}
	return 0, false
}
