package virtual

import (
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
)

// Feature is a bit of a persona's capabilities.
type Feature uint16

// The features of MyEID cards. Grid PINs and PIV emulation are only shown to
// clients; the card has neither.
const (
	RSA     Feature = 0x0001
	DES     Feature = 0x0002
	AES     Feature = 0x0004
	EC      Feature = 0x0008
	GridPIN Feature = 0x0010
	PIV     Feature = 0x0020
)

// Persona is what a card says of itself, and what it can do accordingly.
type Persona struct {
	Name    string   // five characters: OsEID or MyEID
	Version [3]byte  // major, minor, patch
	Serial  [10]byte // drawn at random if it is all zero
	ATR     []byte   // answer to reset

	Features Feature
	// The longest keys, in bits. RSA starts at 1024; of the curves there are
	// P-256, P-384 and P-521.
	MaxRSA, MaxDES, MaxAES, MaxEC int

	keepVerified      bool
	useNotAllowed     bool
	rsaSteps, ecSteps int
}

// MyEID500 is the default persona: version 5.0.0, RSA up to 4096 bits, EC up
// to 521, T=1 only. Its ATR is OsEID's, which tells clients that the card is
// software.
func MyEID500() Persona {
	return Persona{
		Name:     "OsEID",
		Version:  [3]byte{5, 0, 0},
		ATR:      []byte("\x3B\xD5\x96\x02\x81\x31\xFE\x65OsEID\x1E"),
		Features: RSA | DES | AES | EC,
		MaxRSA:   4096, MaxDES: 192, MaxAES: 256, MaxEC: 521,
	}
}

// OsEID452 is the persona of OsEID 4.5.2: RSA up to 2048 bits, T=0 and T=1,
// serial number 1. It has that program's ways: a wrong VERIFY leaves an
// earlier verification standing, the use of a key without its PIN is answered
// 6985, and the generation of a key counts as many writes.
func OsEID452() Persona {
	return Persona{
		Name:     "OsEID",
		Version:  [3]byte{4, 5, 2},
		Serial:   [10]byte{9: 1},
		ATR:      []byte("\x3B\xF5\x18\x00\x02\x80\x01OsEID\x1A"),
		Features: RSA | DES | AES | EC,
		MaxRSA:   2048, MaxDES: 192, MaxAES: 256, MaxEC: 521,

		keepVerified:  true,
		useNotAllowed: true,
		rsaSteps:      11,
		ecSteps:       3,
	}
}

// system is the persona as the card's operating system has it.
func (p Persona) system(capacity int) myeid.Persona {
	return myeid.Persona{
		Name:     p.Name,
		Version:  p.Version,
		Serial:   p.Serial,
		ATR:      slices.Clone(p.ATR),
		Features: myeid.Features(p.Features),
		MaxRSA:   p.MaxRSA, MaxDES: p.MaxDES, MaxAES: p.MaxAES, MaxEC: p.MaxEC,
		Capacity:      capacity,
		KeepVerified:  p.keepVerified,
		UseNotAllowed: p.useNotAllowed,
		RSASteps:      p.rsaSteps,
		ECSteps:       p.ecSteps,
	}
}
