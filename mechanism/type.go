package mechanism

import (
	"cmp"
	"fmt"
	"slices"
)

// Type is a mechanism type, a CK_MECHANISM_TYPE.
type Type uint64

// Unavailable is CK_UNAVAILABLE_INFORMATION, the type of no mechanism: what a
// key made elsewhere has as CKA_KEY_GEN_MECHANISM, and the type of a mechanism
// value whose fields no mechanism of the standard has.
const Unavailable = ^Type(0)

type typeName struct {
	typ  Type
	name string
}

// String returns the name that the standard gives the type, such as
// "CKM_RSA_PKCS", or its number, "CKM_0x80000001".
func (t Type) String() string {
	i, ok := slices.BinarySearchFunc(typeNames[:], t, func(n typeName, t Type) int { return cmp.Compare(n.typ, t) })
	if !ok {
		return fmt.Sprintf("CKM_0x%08x", uint64(t))
	}
	return typeNames[i].name
}

// Vendor reports whether the type lies in the range that the standard leaves
// to makers of tokens.
func (t Type) Vendor() bool { return t >= TypeVendorDefined && t != Unavailable }

// Known reports whether the standard has the type.
func (t Type) Known() bool {
	_, ok := slices.BinarySearchFunc(typeNames[:], t, func(n typeName, t Type) int { return cmp.Compare(n.typ, t) })
	return ok && t != TypeVendorDefined
}

// ParseType returns the type that the standard calls name, such as
// "CKM_RSA_PKCS". Names that stand for others, such as
// "CKM_ECDSA_KEY_PAIR_GEN", are understood.
func ParseType(name string) (Type, bool) {
	for _, n := range typeNames {
		if n.name == name {
			return n.typ, true
		}
	}
	return Unavailable, false
}
