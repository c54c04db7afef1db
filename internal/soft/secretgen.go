package soft

import (
	"crypto"
	"crypto/pbkdf2"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func secretRows() []row {
	pbkdf2 := scheme[mechanism.PBKDF2]{generate: derivePBKDF2}
	return []row{
		randomKeys(scheme[mechanism.AESKeyGen]{sizes: aesSizes}).row(mechanism.AESKeyGen{}),
		randomKeys(scheme[mechanism.AESXTSKeyGen]{sizes: xtsSizes}).row(mechanism.AESXTSKeyGen{}),
		randomKeys(scheme[mechanism.ChaCha20KeyGen]{sizes: sizes{32, 32}, unapproved: true}).row(mechanism.ChaCha20KeyGen{}),
		randomKeys(scheme[mechanism.GenericSecretKeyGen]{sizes: macSizes}).row(mechanism.GenericSecretKeyGen{}),
		randomKeys(scheme[mechanism.HKDFKeyGen]{sizes: macSizes}).row(mechanism.HKDFKeyGen{}),
		randomKeys(scheme[mechanism.DESKeyGen]{sizes: sizes{8, 8}, legacy: all, unapproved: true}).row(mechanism.DESKeyGen{}),
		randomKeys(scheme[mechanism.DES2KeyGen]{sizes: sizes{16, 16}, legacy: all, unapproved: true}).row(mechanism.DES2KeyGen{}),
		randomKeys(scheme[mechanism.DES3KeyGen]{sizes: sizes{24, 24}, legacy: all, unapproved: true}).row(mechanism.DES3KeyGen{}),
		pbkdf2.row(mechanism.PBKDF2{Hash: crypto.SHA256, Salt: make([]byte, 16), Iterations: 1}),
	}
}

// randomKeys adds what generates secret keys of random bytes to a scheme.
func randomKeys[M mechanism.Mechanism](s scheme[M]) scheme[M] {
	s.generate = func(_ M, length int) ([]byte, error) { return randomSeed(length), nil }
	return s
}

// GenerateKey generates a secret key for a completed template, or makes it of
// a password, and returns the values to add to it, which are the caller's to
// clear. It returns ckr.TemplateIncomplete if CKA_VALUE_LEN is missing,
// ckr.AttributeValueInvalid if such keys are not of that length, and
// ckr.MechanismInvalid for mechanisms that software does not do.
func GenerateKey(mech mechanism.Mechanism, t object.Template) (object.Template, error) {
	r, mech, err := find(mech, mechanism.FlagGenerate)
	if err != nil {
		return nil, err
	}
	implied, err := object.Imply(object.Generated, t, mech.Type())
	if err != nil {
		return nil, err
	}
	key, ok := implied.Lookup(object.AttrKeyType.Type)
	if !ok {
		return nil, missing(object.AttrKeyType)
	}
	length, err := generatedLength(implied)
	if err != nil {
		return nil, err
	}
	value, err := r.generate(mech, length)
	if err != nil {
		return nil, err
	}
	defer clear(value)
	kt, _ := object.In(implied, object.AttrKeyType)
	object.SetParity(kt, value)
	return finished(object.Template{object.AttrClass.Is(object.ClassSecretKey), key, object.AttrValue.Is(value)}, mech)
}

// generatedLength returns the length in bytes of the key to be, which is
// bounded.
func generatedLength(t object.Template) (int, error) {
	key, _ := object.In(t, object.AttrKeyType)
	length, ok := object.In(t, object.AttrValueLen)
	if !ok {
		fixed, ok := object.FixedLength(key)
		if !ok {
			return 0, missing(object.AttrValueLen)
		}
		length = uint64(fixed)
		t = t.With(object.AttrValueLen.Is(length))
	}
	if _, err := object.Finish(t.Without(object.AttrValue.Type)); err != nil {
		return 0, err
	}
	return int(length), nil
}

func derivePBKDF2(m mechanism.PBKDF2, length int) ([]byte, error) {
	value, err := pbkdf2.Key(m.Hash.New, string(m.Password), m.Salt, m.Iterations, length)
	if err != nil {
		return nil, ckr.New(ckr.MechanismParamInvalid, m.Type().String(), err)
	}
	return value, nil
}
