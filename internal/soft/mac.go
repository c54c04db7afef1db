package soft

import (
	"crypto/aes"
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

// macSizes bounds the keys of HMAC, and of derivations, in bytes.
var macSizes = sizes{1, 1 << 16}

func macRows() []row {
	cmac := scheme[mechanism.AESCMAC]{keys: aesKeys, sizes: aesSizes, mac: (*Material).cmac, macSize: cmacSize}
	rows := []row{
		cmac.row(mechanism.AESCMAC{}),
		cmac.row(mechanism.AESCMAC{Length: 8}),
		scheme[mechanism.AESGMAC]{
			keys: aesKeys, sizes: aesSizes, unapproved: true,
			mac: (*Material).gmac, macSize: gmacSize, keeps: true,
		}.row(mechanism.AESGMAC{IV: make([]byte, usualIV)}),
	}
	for _, h := range hashes {
		hmac := scheme[mechanism.HMAC]{
			keys:  secrets(object.KeyGenericSecret, hmacKeys[mechanism.HMAC{Hash: h}.Type()]),
			sizes: macSizes, legacy: old(h),
			mac: (*Material).hmac, macSize: hmacSize,
		}
		keyGen := randomKeys(scheme[mechanism.HMACKeyGen]{sizes: macSizes})
		rows = append(rows, hmac.row(mechanism.HMAC{Hash: h}), hmac.row(mechanism.HMAC{Hash: h, Length: 8}), keyGen.row(mechanism.HMACKeyGen{Hash: h}))
	}
	return rows
}

// NewMAC returns a message authentication code that takes its input piece by
// piece, HMAC or CMAC. Sum returns the whole code; one with a Length is its
// beginning.
func NewMAC(k *Material, mech mechanism.Mechanism) (hash.Hash, error) {
	r, mech, err := ready(k, mech, mechanism.FlagSign)
	if err != nil {
		return nil, err
	}
	return r.mac(k, mech)
}

func (m *Material) cmac(mechanism.AESCMAC) (hash.Hash, error) {
	block, err := m.block()
	if err != nil {
		return nil, err
	}
	return newCMAC(block), nil
}

func cmacSize(m mechanism.AESCMAC) int {
	if m.Length == 0 {
		return aes.BlockSize
	}
	return m.Length
}

// fipsMACKey is the length in bytes under which a key of HMAC is forbidden in
// FIPS 140 only mode.
const fipsMACKey = 14

func (m *Material) hmac(mech mechanism.HMAC) (hash.Hash, error) {
	if fips140.Enforced() && len(m.secret) < fipsMACKey {
		return nil, ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the FIPS 140 mode of this program forbids keys of %d bytes", len(m.secret))
	}
	return hmac.New(mech.Hash.New, m.secret), nil
}

func hmacSize(m mechanism.HMAC) int {
	if m.Length == 0 {
		return m.Hash.Size()
	}
	return m.Length
}

// CodeSize returns the length of a mechanism's authentication codes in bytes,
// 0 for other mechanisms.
func CodeSize(mech mechanism.Mechanism) int {
	if mech = mechanism.Resolve(mech); mech == nil {
		return 0
	}
	if r := table().row(mech.Type()); r != nil {
		return r.macSize(mech)
	}
	return 0
}

// Streams reports whether a mechanism is a message authentication code that
// keeps nothing of its input, however long that is.
func Streams(mech mechanism.Mechanism) bool {
	if mech = mechanism.Resolve(mech); mech == nil {
		return false
	}
	r := table().row(mech.Type())
	return r != nil && r.streamsMAC()
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

// signMAC and verifyMAC sign and verify by the code of a scheme.
func (s scheme[M]) signMAC(k *Material, m M, input []byte) ([]byte, error) {
	sum, err := s.mac(k, m)
	if err != nil {
		return nil, err
	}
	sum.Write(input)
	return sum.Sum(nil)[:s.macSize(m)], nil
}

func (s scheme[M]) verifyMAC(k *Material, m M, input, code []byte) error {
	want, err := s.signMAC(k, m, input)
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
