package uri

import (
	"bytes"
	"slices"
	"strings"
)

// Library is what a URI may say of the library.
type Library struct {
	Manufacturer, Description string
	Version                   Version
}

// Slot is what a URI may say of a slot.
type Slot struct {
	Library
	ID                        uint64
	Description, Manufacturer string
}

// Token is what a URI may say of a token.
type Token struct {
	Slot
	Label, Manufacturer, Model, Serial string
}

// Object is what a URI may say of an object.
type Object struct {
	Token
	Label string
	ID    []byte
	Type  string // one of Types, or another word for what has none
}

// is compares a text of the URI with a field whose trailing blanks do not
// count.
func is(want *string, have string) bool {
	return want == nil || strings.TrimRight(*want, " ") == strings.TrimRight(have, " ")
}

// MatchToken reports whether the URI may mean something on a token: all that
// it says of library, slot and token fits. A vendor attribute of the path
// fits nothing.
func (u *URI) MatchToken(t Token) bool {
	return len(u.VendorPath) == 0 &&
		is(u.LibraryManufacturer, t.Library.Manufacturer) && is(u.LibraryDescription, t.Library.Description) &&
		(u.LibraryVersion == nil || *u.LibraryVersion == t.Library.Version) &&
		(u.SlotID == nil || *u.SlotID == t.Slot.ID) &&
		is(u.SlotDescription, t.Slot.Description) && is(u.SlotManufacturer, t.Slot.Manufacturer) &&
		is(u.Token, t.Label) && is(u.Manufacturer, t.Manufacturer) && is(u.Model, t.Model) && is(u.Serial, t.Serial)
}

// Match reports whether the URI means an object.
func (u *URI) Match(o Object) bool {
	return u.MatchToken(o.Token) &&
		(u.Object == nil || *u.Object == o.Label) &&
		(u.Type == nil || *u.Type == o.Type) &&
		(!u.HasID || bytes.Equal(u.ID, o.ID))
}

// Equal reports whether two URIs mean the same: the same attributes in the
// path, in any order. The query says how to get there, not what is meant.
func (u *URI) Equal(v *URI) bool {
	for _, t := range pathTexts {
		if !same(*t.field(u), *t.field(v)) {
			return false
		}
	}
	return u.HasID == v.HasID && bytes.Equal(u.ID, v.ID) &&
		same(u.SlotID, v.SlotID) && same(u.LibraryVersion, v.LibraryVersion) &&
		sameSet(u.VendorPath, v.VendorPath)
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func sameSet(a, b []Attribute) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}
