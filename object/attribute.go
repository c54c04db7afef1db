package object

import (
	"bytes"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// Attr is the name of an attribute together with the Go type of its value:
// bool, string, []byte, *big.Int, [Date], [Version], a number type such as
// [Class] or [mechanism.Type], a slice of numbers, or [Template]. The
// attributes of the standard are variables of this package; those of a
// token's maker are written as
//
//	var AttrColour = object.Attr[string]{Type: 0x80000001}
type Attr[T any] struct{ Type Type }

// Is returns the attribute with a value, of which it keeps a copy. A value
// that cannot be encoded, such as a negative number, makes an attribute that
// [Template.Validate] refuses.
func (a Attr[T]) Is(v T) Attribute { return encode(a.Type, v) }

// String returns the standard's name of the attribute.
func (a Attr[T]) String() string { return a.Type.String() }

// Attribute is an attribute with its value. The zero value is an empty
// CKA_CLASS, which is not valid.
type Attribute struct {
	Type   Type
	value  []byte
	nested Template // if array
	array  bool
	bad    bool // the value could not be encoded
}

// Bytes returns the value in the canonical encoding of its [Kind]. The bytes
// are the attribute's own: read them only. A nested template has none.
func (a Attribute) Bytes() []byte { return a.value }

// Len returns the length of the value in bytes, or the number of attributes
// of a nested template.
func (a Attribute) Len() int {
	if a.array {
		return len(a.nested)
	}
	return len(a.value)
}

// Nested returns the template that the value is; ok is false if it is none.
func (a Attribute) Nested() (t Template, ok bool) { return a.nested, a.array }

// Equal reports whether both are the same attribute with the same value.
// The order within a nested template does not matter. Values are compared in
// a time that does not depend on where they differ.
func (a Attribute) Equal(b Attribute) bool {
	if a.Type != b.Type || a.array != b.array || a.bad || b.bad {
		return false
	}
	if !a.array {
		return subtle.ConstantTimeCompare(a.value, b.value) == 1
	}
	return len(a.nested) == len(b.nested) && a.nested.Matches(b.nested) && b.nested.Matches(a.nested)
}

// Clone returns a copy that shares no bytes with a.
func (a Attribute) Clone() Attribute {
	a.value = bytes.Clone(a.value)
	a.nested = a.nested.Clone()
	return a
}

// Clear overwrites the value with zeros. It reaches every copy of the
// attribute that was made by assignment.
func (a Attribute) Clear() {
	clear(a.value)
	a.nested.Clear()
}

// String returns the attribute for people to read, as in
// `CKA_LABEL="backup"`. A value that some class of objects hides is given by
// its length only.
func (a Attribute) String() string {
	row, _ := find(a.Type)
	name := a.Type.String()
	switch {
	case a.bad:
		return name + "=?"
	case row.secret || (a.Type.Vendor() && !a.array):
		return fmt.Sprintf("%s(%d bytes)", name, len(a.value))
	case a.array:
		return fmt.Sprintf("%s=%v", name, a.nested)
	}
	return name + "=" + a.text(row.kind)
}

func (a Attribute) text(kind Kind) string {
	switch kind {
	case KindBool:
		if v, ok := decodeBool(a.value); ok {
			return strconv.FormatBool(v)
		}
	case KindUlong:
		if n, ok := decodeUlong(a.value); ok {
			return a.number(n)
		}
	case KindString:
		if utf8.Valid(a.value) {
			return strconv.Quote(string(a.value))
		}
	case KindDate:
		return string(a.value)
	case KindBigInteger, KindBytes, KindUlongArray, KindVersion:
	}
	const most = 32 // enough to tell one from another
	if len(a.value) > most {
		return hex.EncodeToString(a.value[:most]) + fmt.Sprintf("… (%d bytes)", len(a.value))
	}
	return hex.EncodeToString(a.value)
}

// number names the numbers that have names.
func (a Attribute) number(n uint64) string {
	switch a.Type {
	case AttrClass.Type:
		return Class(n).String()
	case AttrKeyType.Type:
		return KeyType(n).String()
	case AttrCertificateType.Type:
		return CertificateType(n).String()
	case AttrKeyGenMechanism.Type, AttrMechanismType.Type, AttrNameHashAlgorithm.Type:
		if mechanism.Type(n) == mechanism.Unavailable {
			return "unavailable"
		}
		return mechanism.Type(n).String()
	}
	return strconv.FormatUint(n, 10)
}

// Format prints [Attribute.String] for every verb, so that no way of printing
// shows a secret.
func (a Attribute) Format(f fmt.State, _ rune) { fmt.Fprint(f, a.String()) }
