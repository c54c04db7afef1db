package object

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// encode makes an attribute of a Go value.
func encode[T any](t Type, v T) Attribute {
	a := Attribute{Type: t}
	switch v := any(v).(type) {
	case bool:
		a.value = []byte{0}
		if v {
			a.value[0] = 1
		}
	case []byte:
		a.value = normal(t, slices.Concat(v))
	case string:
		a.value = []byte(v)
	case *big.Int:
		if v != nil {
			a.value, a.bad = v.Bytes(), v.Sign() < 0
		}
	case Date:
		if !v.IsZero() {
			a.value, a.bad = []byte(Date(v).digits()), !v.valid()
		}
	case Version:
		a.value = []byte{v.Major, v.Minor}
	case []mechanism.Type:
		for _, m := range v {
			a.value = binary.LittleEndian.AppendUint64(a.value, uint64(m))
		}
	case []uint64:
		for _, n := range v {
			a.value = binary.LittleEndian.AppendUint64(a.value, n)
		}
	case Template:
		a.nested, a.array = v.Clone(), true
	default:
		n := reflect.ValueOf(v)
		if n.Kind() != reflect.Uint64 {
			a.bad = true
			return a
		}
		a.value = binary.LittleEndian.AppendUint64(nil, n.Uint())
	}
	return a
}

func (d Date) digits() string {
	s := d.String()
	return s[:4] + s[5:7] + s[8:]
}

// Raw returns an attribute of bytes that come from a card or a caller, of
// which it keeps a copy. They are brought into the canonical encoding where
// that loses nothing: leading zeros of big integers go, numbers of 4 bytes
// become 8, dates that say nothing become empty. Bytes that cannot be a value
// of the attribute are kept; [Decode] and [Template.Validate] refuse them.
func Raw(t Type, value []byte) Attribute {
	return Attribute{Type: t, value: normal(t, slices.Concat(value))}
}

// normal brings bytes, which it may keep, into the canonical encoding.
func normal(t Type, value []byte) []byte {
	switch t.Kind() {
	case KindUlong:
		if len(value) == 4 {
			return binary.LittleEndian.AppendUint64(nil, widen(binary.LittleEndian.Uint32(value)))
		}
	case KindBigInteger:
		return trimZeros(value)
	case KindDate:
		if d, ok := parseDate(value); ok && d.IsZero() {
			return nil
		}
	}
	return value
}

// widen keeps CK_UNAVAILABLE_INFORMATION what it is.
func widen(n uint32) uint64 {
	if n == ^uint32(0) {
		return ^uint64(0)
	}
	return uint64(n)
}

func trimZeros(b []byte) []byte { return bytes.TrimLeft(b, "\x00") }

func decodeBool(b []byte) (v, ok bool) {
	return len(b) == 1 && b[0] == 1, len(b) == 1 && b[0] <= 1
}

func decodeUlong(b []byte) (uint64, bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// Decode returns the value of v as the Go type of a. Slices are copies. It
// returns ckr.AttributeValueInvalid if v is another attribute, or if its bytes
// are no value of that type. Strings are not checked to be UTF-8: what an old
// card has for a label is shown as it is.
func Decode[T any](a Attr[T], v Attribute) (T, error) {
	var out T
	if v.Type != a.Type {
		return out, ckr.Newf(ckr.AttributeValueInvalid, a.Type.String(), "the value is of %s", v.Type)
	}
	if v.bad || !decode(&out, v) {
		var zero T
		return zero, ckr.Newf(ckr.AttributeValueInvalid, a.Type.String(), "%d bytes are not of this kind", len(v.value))
	}
	return out, nil
}

// decode writes the value to *out and reports whether it could.
func decode(out any, v Attribute) (ok bool) {
	if t, isTemplate := out.(*Template); isTemplate {
		*t = v.nested.Clone()
		return v.array
	}
	if v.array {
		return false
	}
	switch out := out.(type) {
	case *bool:
		*out, ok = decodeBool(v.value)
	case *[]byte:
		*out, ok = slices.Concat(v.value), true
	case *string:
		*out, ok = string(v.value), true
	case **big.Int:
		*out, ok = new(big.Int).SetBytes(v.value), true
	case *Date:
		*out, ok = parseDate(v.value)
	case *Version:
		if ok = len(v.value) == 2; ok {
			*out = Version{v.value[0], v.value[1]}
		}
	case *[]mechanism.Type:
		*out, ok = decodeNumbers[mechanism.Type](v.value)
	case *[]uint64:
		*out, ok = decodeNumbers[uint64](v.value)
	default:
		n := reflect.ValueOf(out).Elem()
		if n.Kind() != reflect.Uint64 {
			return false
		}
		var number uint64
		number, ok = decodeUlong(v.value)
		n.SetUint(number)
	}
	return ok
}

func decodeNumbers[T ~uint64](b []byte) ([]T, bool) {
	if len(b)%8 != 0 {
		return nil, false
	}
	numbers := make([]T, 0, len(b)/8)
	for part := range slices.Chunk(b, 8) {
		numbers = append(numbers, T(binary.LittleEndian.Uint64(part)))
	}
	return numbers, true
}

// problem says what is wrong with the bytes as a value of the kind, or
// nothing.
func (k Kind) problem(a Attribute) string {
	ok := true
	switch k {
	case KindBool:
		_, ok = decodeBool(a.value)
	case KindUlong:
		_, ok = decodeUlong(a.value)
	case KindString:
		ok = utf8.Valid(a.value)
	case KindDate:
		_, ok = parseDate(a.value)
	case KindUlongArray:
		ok = len(a.value)%8 == 0
	case KindVersion:
		ok = len(a.value) == 2
	}
	if a.bad || !ok || a.array != (k == KindTemplate) {
		return "not a " + k.String()
	}
	return ""
}
