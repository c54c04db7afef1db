package virtual

import (
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/piv"
)

// What PIV cards are made with, unless their persona says otherwise.
const (
	DefaultPIVPIN = "123456"
	DefaultPIVPUK = "12345678"
)

// DefaultPIVManagementKey is the management key of cards that were never
// personalised: 24 bytes, of triple DES or AES-192.
func DefaultPIVManagementKey() []byte {
	key := make([]byte, 24)
	for i := range key {
		key[i] = byte(i%8 + 1)
	}
	return key
}

// PIVPersona is what a PIV application is like, SP 800-73-5. NISTPIV and
// YubiKey57 return whole ones, of which fields can be changed.
type PIVPersona struct {
	ATR []byte // answer to reset, if PIV is the card's first application

	// Version and Serial are told by a YubiKey only; Serial is drawn at random
	// if it is 0.
	Version [3]byte
	Serial  uint32

	// PINs as the card is made, and tries at them. The global PIN exists if it
	// is not empty. A YubiKey that is reset, or whose tries are set, has
	// DefaultPIVPIN and DefaultPIVPUK from then on.
	PIN, PUK, GlobalPIN string
	PINTries, PUKTries  int
	// ManagementKey is of an algorithm of SP 800-78-5: 03 triple DES, 08, 0A
	// and 0C AES.
	ManagementKey       []byte
	ManagementAlgorithm byte

	// Extended has the card take extended lengths.
	Extended bool
	Quirks   PIVQuirks

	yubico     bool
	label      string
	algorithms []piv.Algorithm
	maxObject  int
}

// PIVQuirks are ways of PIV cards in the field.
type PIVQuirks struct {
	// OldCounters answers a wrong PIN with 630x, as before SP 800-73-4.
	OldCounters bool
	// BlindStatus answers VERIFY without data with the tries left even where
	// the PIN is verified.
	BlindStatus bool
	// CountsStatus takes VERIFY without data for a wrong PIN.
	CountsStatus bool
	// ReselectDrops has SELECT drop the verified PIN even if the application
	// was selected before.
	ReselectDrops bool
	// NoMoreBytes cuts answers to what was asked for, with no 61xx: the rest
	// is lost.
	NoMoreBytes bool
}

// NISTPIV is a card as the standard has it, with nothing beyond: RSA of 1024
// to 3072 bits, P-256 and P-384, a triple DES management key, short APDUs and
// chaining.
func NISTPIV() PIVPersona {
	return PIVPersona{
		ATR: answerToReset("\x80\x73\x00\x21\x80\x53PIV"),
		PIN: DefaultPIVPIN, PUK: DefaultPIVPUK, PINTries: 5, PUKTries: 5,
		ManagementKey: DefaultPIVManagementKey(), ManagementAlgorithm: byte(piv.TDES),
		label:      "PIV",
		algorithms: []piv.Algorithm{piv.RSA1024, piv.RSA2048, piv.RSA3072, piv.P256, piv.P384},
		maxObject:  16 << 10,
	}
}

// YubiKey57 is a card with the extensions of a YubiKey of version 5.7: its
// commands, PIN and touch policies, RSA up to 4096 bits, Ed25519, X25519, an
// AES-192 management key, extended lengths, attestation by an authority of its
// own (Card.PIVAttestationRoot), and beside it the application that tells
// programs what the device is.
func YubiKey57() PIVPersona {
	return PIVPersona{
		ATR:     []byte("\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57YubiKey\x40"),
		Version: [3]byte{5, 7, 1},
		PIN:     DefaultPIVPIN, PUK: DefaultPIVPUK, PINTries: 3, PUKTries: 3,
		ManagementKey: DefaultPIVManagementKey(), ManagementAlgorithm: byte(piv.AES192),
		Extended: true,
		yubico:   true,
		algorithms: []piv.Algorithm{
			piv.RSA1024, piv.RSA2048, piv.RSA3072, piv.RSA4096, piv.P256, piv.P384, piv.Ed25519, piv.X25519,
		},
		maxObject: 3072,
	}
}

// answerToReset is one for T=1 with historical bytes and their checksum.
func answerToReset(historical string) []byte {
	atr := append([]byte{0x3B, 0xD0 | byte(len(historical)), 0x96, 0x02, 0x81, 0x31, 0xFE, 0x65}, historical...)
	var sum byte
	for _, b := range atr[1:] {
		sum ^= b
	}
	return append(atr, sum)
}

// persona is the persona as the application has it.
func (p *PIVPersona) persona(capacity int) piv.Persona {
	out := piv.Persona{
		ATR:    slices.Clone(p.ATR),
		Yubico: p.yubico, Version: p.Version, Serial: p.Serial, Label: p.label,
		PIN: p.PIN, PUK: p.PUK, GlobalPIN: p.GlobalPIN,
		PINTries: byte(min(max(p.PINTries, 1), 15)), PUKTries: byte(min(max(p.PUKTries, 1), 15)),
		ManagementKey: slices.Clone(p.ManagementKey), ManagementAlgorithm: piv.Algorithm(p.ManagementAlgorithm),
		Algorithms: slices.Clone(p.algorithms), Extended: p.Extended,
		Capacity: capacity, MaxObject: p.maxObject,
		Quirks: piv.Quirks(p.Quirks),
	}
	if out.Yubico && out.Serial == 0 {
		var b [4]byte
		rand.Read(b[:])
		out.Serial = binary.BigEndian.Uint32(b[:])>>8 | 1
	}
	return out
}

// PIVAttestationRoot is the certificate, in DER, of the authority that the
// attestations of the card's PIV application lead to; nil if it makes none.
func (c *Card) PIVAttestationRoot() []byte {
	if c.system.piv == nil {
		return nil
	}
	return c.system.piv.Root()
}
