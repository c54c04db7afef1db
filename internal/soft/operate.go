package soft

import (
	"crypto/fips140"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// find checks a mechanism and returns it, resolved, with its row. It refuses
// what software does not do at all, what still wants to hash, since its input
// would be a digest of a digest, and what the FIPS 140 only mode of the program
// forbids, which the standard library would answer with an error or a panic.
func find(mech mechanism.Mechanism, use mechanism.Flags) (*row, mechanism.Mechanism, error) {
	h, mech, err := mechanism.Prepare(mech)
	switch {
	case err != nil:
		return nil, nil, err
	case h != 0:
		return nil, nil, ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the input must be hashed first")
	}
	r := table().row(mech.Type())
	if r == nil {
		return nil, nil, unsupported(mech)
	}
	if err := r.forbidden(mech); err != nil {
		return nil, nil, err
	}
	if r.flags&use == 0 {
		return nil, nil, unsupported(mech)
	}
	return r, mech, nil
}

// ready is find for an operation with a key, which must be one that does it.
func ready(k *Material, mech mechanism.Mechanism, use mechanism.Flags) (*row, mechanism.Mechanism, error) {
	if k == nil {
		return nil, nil, ckr.Newf(ckr.KeyHandleInvalid, "key", "no key material")
	}
	r, mech, err := find(mech, use)
	if err != nil {
		return nil, nil, err
	}
	if err := k.fits(r.keys, use); err != nil {
		return nil, nil, err
	}
	return r, mech, nil
}

// forbidden refuses what FIPS 140 only mode does not allow. Hash functions were
// looked at before.
func (r *row) forbidden(mech mechanism.Mechanism) error {
	if !fips140.Enforced() || r.allowed(mech) {
		return nil
	}
	return ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the FIPS 140 mode of this program forbids it")
}

// fits refuses keys that do not do an operation of a mechanism for keys of a
// set.
func (m *Material) fits(keys keySet, use mechanism.Flags) error {
	class := keys.class(use)
	switch {
	case m.class != class || !keys.has(m.key):
		return ckr.Newf(ckr.KeyTypeInconsistent, "key", "a %s of class %s", m.key, m.class)
	case class == object.ClassPrivateKey && !m.private(), class == object.ClassSecretKey && m.secret == nil:
		return ckr.Newf(ckr.KeyHandleInvalid, "key", "the key material was cleared")
	}
	return nil
}

// Sign returns the signature or message authentication code of input: of the
// digest, if the mechanism is one that mechanism.Prehash returns for another.
// Signatures of ECDSA are r‖s.
func Sign(k *Material, mech mechanism.Mechanism, input []byte) ([]byte, error) {
	r, mech, err := ready(k, mech, mechanism.FlagSign)
	if err != nil {
		return nil, err
	}
	return r.sign(k, mech, input)
}

// Verify checks a signature or message authentication code. It returns
// ckr.SignatureLenRange if the length alone shows that it is none, and
// ckr.SignatureInvalid if it is not that of the input.
func Verify(k *Material, mech mechanism.Mechanism, input, signature []byte) error {
	r, mech, err := ready(k, mech, mechanism.FlagVerify)
	if err != nil {
		return err
	}
	return r.verify(k, mech, input, signature)
}

// Recover returns the data that a signature holds (C_VerifyRecover): of
// PKCS #1 v1.5 what its padding surrounds, of raw RSA the whole block. It
// returns ckr.SignatureInvalid and ckr.SignatureLenRange as [Verify] does.
func Recover(k *Material, mech mechanism.Mechanism, signature []byte) ([]byte, error) {
	r, mech, err := ready(k, mech, mechanism.FlagVerifyRecover)
	if err != nil {
		return nil, err
	}
	return r.verifyRecover(k, mech, signature)
}

// Encrypt encrypts data. The tag of GCM follows the ciphertext.
func Encrypt(k *Material, mech mechanism.Mechanism, data []byte) ([]byte, error) {
	r, mech, err := ready(k, mech, mechanism.FlagEncrypt)
	if err != nil {
		return nil, err
	}
	return r.seal(k, mech, data)
}

// Decrypt decrypts data. The result is secret, and the caller's to clear. It
// returns ckr.EncryptedDataLenRange if the length alone shows that data was
// not encrypted so, and ckr.EncryptedDataInvalid for everything else that is
// wrong with it: nothing tells a bad padding from a bad tag.
func Decrypt(k *Material, mech mechanism.Mechanism, data []byte) ([]byte, error) {
	r, mech, err := ready(k, mech, mechanism.FlagDecrypt)
	if err != nil {
		return nil, err
	}
	return r.open(k, mech, data)
}

// Encapsulate makes a secret for the owner of a public key, and the ciphertext
// that tells it (C_EncapsulateKey). The secret is the caller's to clear.
func Encapsulate(k *Material, mech mechanism.Mechanism) (secret, ciphertext []byte, err error) {
	r, mech, err := ready(k, mech, mechanism.FlagEncapsulate)
	if err != nil {
		return nil, nil, err
	}
	return r.encapsulate(k, mech)
}

// Decapsulate returns the secret that a ciphertext tells the owner of the
// private key (C_DecapsulateKey), for the caller to clear. A ciphertext that
// was altered gives another secret, not an error (FIPS 203 §6.3); only one of
// the wrong length is ckr.WrappedKeyLenRange.
func Decapsulate(k *Material, mech mechanism.Mechanism, ciphertext []byte) ([]byte, error) {
	r, mech, err := ready(k, mech, mechanism.FlagDecapsulate)
	if err != nil {
		return nil, err
	}
	return r.decapsulate(k, mech, ciphertext)
}

// wrapping has a scheme wrap and unwrap by encrypting and decrypting. That is for
// mechanisms that show what was altered.
func wrapping[M mechanism.Mechanism](s scheme[M]) scheme[M] {
	does := &typed[M]{s}
	s.wrap = does.encrypt
	s.unwrap = func(k *Material, m M, wrapped []byte, _ object.Template) ([]byte, error) {
		return does.decrypt(k, m, wrapped)
	}
	return s
}
