package mechanism

import (
	"cmp"
	"slices"
	"strings"
)

// Flags says what can be done with a mechanism: the flags of
// CK_MECHANISM_INFO, PKCS #11 v3.2 §3.5.
type Flags uint64

// Has reports whether all flags of want are set.
func (f Flags) Has(want Flags) bool { return f&want == want }

// String lists the functions in the order of the standard, as in
// "sign verify".
func (f Flags) String() string {
	var words []string
	for _, n := range flagNames {
		if f&n.flag != 0 {
			words = append(words, n.name)
		}
	}
	return strings.Join(words, " ")
}

var flagNames = []struct {
	flag Flags
	name string
}{
	{FlagHW, "hardware"},
	{FlagEncrypt, "encrypt"}, {FlagDecrypt, "decrypt"}, {FlagDigest, "digest"},
	{FlagSign, "sign"}, {FlagSignRecover, "sign-recover"},
	{FlagVerify, "verify"}, {FlagVerifyRecover, "verify-recover"},
	{FlagGenerate, "generate"}, {FlagGenerateKeyPair, "generate-key-pair"},
	{FlagWrap, "wrap"}, {FlagUnwrap, "unwrap"}, {FlagDerive, "derive"},
	{FlagEncapsulate, "encapsulate"}, {FlagDecapsulate, "decapsulate"},
}

// Info is what a token, or one key of it, can do with a mechanism. The key
// sizes are in the [Unit] of the mechanism; both are 0 where it has none.
type Info struct {
	MinKeySize, MaxKeySize uint64
	Flags                  Flags
}

// KeyUnit is the unit of the key sizes of an Info.
type KeyUnit int

// The units of key sizes. For elliptic curves, bits are those of the field.
const (
	NoUnit KeyUnit = iota
	Bits
	Bytes
)

func (u KeyUnit) String() string {
	switch u {
	case Bits:
		return "bits"
	case Bytes:
		return "bytes"
	}
	return "none"
}

type standardRow struct {
	typ   Type
	unit  KeyUnit
	flags Flags
}

func lookup(t Type) (standardRow, bool) {
	i, ok := slices.BinarySearchFunc(standard[:], t, func(r standardRow, t Type) int { return cmp.Compare(r.typ, t) })
	if !ok {
		return standardRow{}, false
	}
	return standard[i], true
}

// Unit returns the unit in which the standard counts the key sizes of a
// mechanism: bits for RSA and elliptic curves, bytes for AES and HMAC. It is
// [NoUnit] for digests and for mechanisms that the tables leave out.
func Unit(t Type) KeyUnit {
	row, _ := lookup(t)
	return row.unit
}

// Functions returns the functions for which the standard allows a mechanism
// (the table at the head of each section of PKCS #11 v3.2 §6). ok is false
// for makers' own mechanisms and for those that the tables leave out.
func Functions(t Type) (f Flags, ok bool) {
	row, ok := lookup(t)
	return row.flags, ok
}
