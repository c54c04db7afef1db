package soft

import (
	"crypto/pbkdf2"
	"crypto/rand"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// GenerateKey generates a secret key for a completed template, or makes it of
// a password, and returns the values to add to it, which are the caller's to
// clear. It returns ckr.TemplateIncomplete if CKA_VALUE_LEN is missing,
// ckr.AttributeValueInvalid if such keys are not of that length, and
// ckr.MechanismInvalid for mechanisms that software does not do.
func GenerateKey(mech mechanism.Mechanism, t object.Template) (object.Template, error) {
	if err := mechanism.Check(mech); err != nil {
		return nil, err
	}
	mech = mechanism.Resolve(mech)
	if err := forbidden(mech); err != nil {
		return nil, err
	}
	implied, err := object.Imply(object.Generated, t, mech.Type())
	if err != nil {
		return nil, err
	}
	if !generates(mech) {
		return nil, unsupported(mech)
	}
	key, ok := implied.Lookup(object.AttrKeyType.Type)
	if !ok {
		return nil, missing(object.AttrKeyType)
	}
	length, err := generatedLength(implied)
	if err != nil {
		return nil, err
	}
	value, err := newSecret(mech, length)
	if err != nil {
		return nil, err
	}
	defer clear(value)
	kt, _ := object.In(implied, object.AttrKeyType)
	object.SetParity(kt, value)
	return finished(object.Template{object.AttrClass.Is(object.ClassSecretKey), key, object.AttrValue.Is(value)}, mech)
}

func generates(mech mechanism.Mechanism) bool {
	switch mech.(type) {
	case mechanism.AESKeyGen, mechanism.GenericSecretKeyGen, mechanism.AESXTSKeyGen, mechanism.ChaCha20KeyGen,
		mechanism.HKDFKeyGen, mechanism.PBKDF2, mechanism.DESKeyGen, mechanism.DES2KeyGen, mechanism.DES3KeyGen:
		return true
	}
	return false
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

func newSecret(mech mechanism.Mechanism, length int) ([]byte, error) {
	m, ok := mech.(mechanism.PBKDF2)
	if !ok {
		value := make([]byte, length)
		rand.Read(value)
		return value, nil
	}
	value, err := pbkdf2.Key(m.Hash.New, string(m.Password), m.Salt, m.Iterations, length)
	if err != nil {
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), err)
	}
	return value, nil
}
