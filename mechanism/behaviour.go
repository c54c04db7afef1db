package mechanism

import "crypto"

// problemOf says in words what is wrong with the parameters of a resolved
// mechanism, or nothing.
func problemOf(m Mechanism) string {
	if m, ok := m.(interface{ problem() string }); ok {
		return m.problem()
	}
	return ""
}

// hashesOf returns the hash functions that are computed outside the card, and 0
// for none.
func hashesOf(m Mechanism) [2]crypto.Hash {
	if m, ok := m.(interface{ hashes() [2]crypto.Hash }); ok {
		return m.hashes()
	}
	return [2]crypto.Hash{}
}

// BlockMode is what a block cipher needs to know to run a mechanism that
// encrypts whole blocks, ECB or CBC. Its mechanisms have a method BlockMode.
type BlockMode struct {
	Size    int    // of a block, in bytes
	Chained bool   // CBC; else ECB
	Padded  bool   // as PKCS #7 does
	IV      []byte // of CBC
}

// Disclosure says what the result of a derivation tells whoever may read it
// about the base key.
type Disclosure int

// The kinds of disclosure.
const (
	// DisclosesNothing is a one-way function, or no derivation at all.
	DisclosesNothing Disclosure = iota
	// DisclosesCiphertext is data that the base key encrypted.
	DisclosesCiphertext
	// DisclosesParts is a part of the base key, or the base key combined with
	// what the caller knows.
	DisclosesParts
	// DisclosesData is a data object, which could have been derived as a key.
	DisclosesData
)

// DisclosureOf returns what a mechanism's result tells about its base key.
func DisclosureOf(m Mechanism) Disclosure {
	if m, ok := Resolve(m).(interface{ disclosure() Disclosure }); ok {
		return m.disclosure()
	}
	return DisclosesNothing
}

// Associate returns the mechanism with associated data in the place of its own,
// which is returned beside. ok is false for mechanisms that wrap keys without
// associated data.
func Associate(m Mechanism, data []byte) (with Mechanism, own []byte, ok bool) {
	a, ok := Resolve(m).(interface {
		associated() []byte
		associate(data []byte) Mechanism
	})
	if !ok {
		return nil, nil, false
	}
	return a.associate(data), a.associated(), true
}
