package soft

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/subtle"
	"hash"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// hmacKeys are the key types made for one hash function; keys of
// object.KeyGenericSecret go with any.
var hmacKeys = map[mechanism.Type]object.KeyType{
	mechanism.TypeMD5HMAC: object.KeyMD5HMAC, mechanism.TypeSHA1HMAC: object.KeySHA1HMAC,
	mechanism.TypeSHA224HMAC: object.KeySHA224HMAC, mechanism.TypeSHA256HMAC: object.KeySHA256HMAC,
	mechanism.TypeSHA384HMAC: object.KeySHA384HMAC, mechanism.TypeSHA512HMAC: object.KeySHA512HMAC,
	mechanism.TypeSHA512_224HMAC: object.KeySHA512_224HMAC, mechanism.TypeSHA512_256HMAC: object.KeySHA512_256HMAC,
	mechanism.TypeSHA3_224HMAC: object.KeySHA3_224HMAC, mechanism.TypeSHA3_256HMAC: object.KeySHA3_256HMAC,
	mechanism.TypeSHA3_384HMAC: object.KeySHA3_384HMAC, mechanism.TypeSHA3_512HMAC: object.KeySHA3_512HMAC,
}

// NewMAC returns a message authentication code that takes its input piece by
// piece, HMAC or CMAC. Sum returns the whole code; one with a Length is its
// beginning.
func NewMAC(m *Material, mech mechanism.Mechanism) (hash.Hash, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	switch mech := mech.(type) {
	case mechanism.HMAC:
		return m.hmac(mech)
	case mechanism.AESCMAC:
		block, err := m.block()
		if err != nil {
			return nil, err
		}
		return newCMAC(block), nil
	case mechanism.AESGMAC:
		block, err := m.block()
		if err != nil {
			return nil, err
		}
		return m.newGMAC(block, mech)
	}
	return nil, unsupported(mech)
}

// fipsMACKey is the length in bytes under which a key of HMAC is forbidden in
// FIPS 140 only mode.
const fipsMACKey = 14

func (m *Material) hmac(mech mechanism.HMAC) (hash.Hash, error) {
	own := hmacKeys[mechanism.HMAC{Hash: mech.Hash}.Type()]
	if err := m.needs(object.ClassSecretKey, object.KeyGenericSecret, own); err != nil {
		return nil, err
	}
	if fips140.Enforced() && len(m.secret) < fipsMACKey {
		return nil, ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the FIPS 140 mode of this program forbids keys of %d bytes", len(m.secret))
	}
	return hmac.New(mech.Hash.New, m.secret), nil
}

// CodeSize returns the length of a mechanism's authentication codes in bytes,
// 0 for other mechanisms.
func CodeSize(mech mechanism.Mechanism) int {
	length := 0
	switch mech := mechanism.Resolve(mech).(type) {
	case mechanism.HMAC:
		length = mech.Length
		if length == 0 {
			length = mech.Hash.Size()
		}
	case mechanism.AESGMAC:
		length = 16
	case mechanism.AESCMAC:
		length = mech.Length
		if length == 0 {
			length = 16
		}
	}
	return length
}

// Streams reports whether a mechanism is a message authentication code that
// keeps nothing of its input, however long that is.
func Streams(mech mechanism.Mechanism) bool {
	switch mechanism.Resolve(mech).(type) {
	case mechanism.HMAC, mechanism.AESCMAC:
		return true
	}
	return false
}

// Code returns the code of what sum, which NewMAC made for the mechanism, took
// in.
func Code(mech mechanism.Mechanism, sum hash.Hash) []byte {
	return sum.Sum(nil)[:CodeSize(mech)]
}

// VerifyCode compares a code with that of what sum took in; errors as of
// Verify.
func VerifyCode(mech mechanism.Mechanism, sum hash.Hash, code []byte) error {
	return sameCode(Code(mech, sum), code)
}

func (m *Material) mac(mech mechanism.Mechanism, input []byte) ([]byte, error) {
	sum, err := NewMAC(m, mech)
	if err != nil {
		return nil, err
	}
	sum.Write(input)
	return Code(mech, sum), nil
}

func (m *Material) verifyMAC(mech mechanism.Mechanism, input, code []byte) error {
	want, err := m.mac(mech, input)
	if err != nil {
		return err
	}
	return sameCode(want, code)
}

func sameCode(want, code []byte) error {
	if len(code) != len(want) {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(code), len(want))
	}
	if subtle.ConstantTimeCompare(code, want) != 1 {
		return badSignature()
	}
	return nil
}
