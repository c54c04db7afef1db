package myeid

import (
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Features are the capabilities of GET DATA 01AA, two bytes.
type Features uint16

// The features that this card can have. The remaining bits are shown and have
// no effect.
const (
	FeatureRSA Features = 1 << iota
	FeatureDES
	FeatureAES
	FeatureEC
)

// Persona is what makes one card differ from another of the same command set.
type Persona struct {
	Name     string   // five characters, at the head of the applet information
	Version  [3]byte  // major, minor, patch
	Serial   [10]byte // in the applet information
	ATR      []byte   // kept with the card, and of no use to it
	Features Features
	// The longest keys, in bits.
	MaxRSA, MaxDES, MaxAES, MaxEC int
	// Capacity is what files and keys may take together, in bytes.
	Capacity int

	// KeepVerified is a quirk of OsEID: a wrong VERIFY leaves an earlier
	// verification of the same PIN standing.
	KeepVerified bool
	// UseNotAllowed is another: the use of a key without its PIN is answered
	// 6985, as if the conditions were wrong, instead of 6982.
	UseNotAllowed bool
	// RSASteps and ECSteps are how far the generation of a key moves the
	// change counter. OsEID counts every write of a part.
	RSASteps, ECSteps int
}

// appletInfo is the answer to GET DATA 01A0.
func (c *Card) appletInfo() []byte {
	p := &c.persona
	out := make([]byte, 5, 20)
	copy(out, p.Name)
	out = append(out, p.Version[:]...)
	out = append(out, p.Serial[:]...)
	return binary.BigEndian.AppendUint16(out, c.counter)
}

// capabilities is the answer to GET DATA 01AA.
func (p *Persona) capabilities() []byte {
	out := make([]byte, 1, 11)
	out[0] = 1
	out = binary.BigEndian.AppendUint16(out, uint16(p.Features))
	for _, bits := range []int{p.MaxRSA, p.MaxDES, p.MaxAES, p.MaxEC} {
		out = binary.BigEndian.AppendUint16(out, uint16(bits))
	}
	return out
}

// offers tells whether keys of a kind and length can be had: what crypto/rsa,
// crypto/ecdsa, crypto/aes and crypto/des know, up to the persona's limits.
func (p *Persona) offers(k kind, bits int) bool {
	switch k.plain() {
	case kindRSA:
		return p.Features&FeatureRSA != 0 && bits >= 1024 && bits <= p.MaxRSA && bits%256 == 0
	case kindEC:
		return p.Features&FeatureEC != 0 && bits <= p.MaxEC && curveOf(bits) != nil
	case kindAES:
		return p.Features&FeatureAES != 0 && bits <= p.MaxAES && (bits == 128 || bits == 192 || bits == 256)
	case kindDES:
		return p.Features&FeatureDES != 0 && bits <= p.MaxDES && (bits == 64 || bits == 128 || bits == 192)
	}
	return true
}

// denial is the answer to the use of a key without its PIN.
func (p *Persona) denial() apdu.Status {
	if p.UseNotAllowed {
		return apdu.SWConditionsNotSatisfied
	}
	return apdu.SWSecurityNotSatisfied
}
