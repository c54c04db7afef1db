package soft

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// prepared checks a mechanism and refuses one that still wants to hash: its
// input would be a digest of a digest.
func prepared(m *Material, mech mechanism.Mechanism) (mechanism.Mechanism, error) {
	if m == nil {
		return nil, ckr.Newf(ckr.KeyHandleInvalid, "key", "no key material")
	}
	if err := mechanism.Check(mech); err != nil {
		return nil, err
	}
	if h, _ := mechanism.Prehash(mech); h != 0 {
		return nil, ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the input must be hashed first")
	}
	mech = mechanism.Resolve(mech)
	if err := forbidden(mech); err != nil {
		return nil, err
	}
	return mech, nil
}

func unsupported(mech mechanism.Mechanism) error {
	return ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "software does not do it here")
}

// Sign returns the signature or message authentication code of input: of the
// digest, if the mechanism is one that mechanism.Prehash returns for another.
// Signatures of ECDSA are r‖s.
func Sign(m *Material, mech mechanism.Mechanism, input []byte) ([]byte, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	switch mech := mech.(type) {
	case mechanism.RSAPKCS:
		return m.signPKCS1(mech, input)
	case mechanism.RSAX509:
		return m.signX509(input)
	case mechanism.RSAPSS:
		return m.signPSS(mech, input)
	case mechanism.ECDSA:
		return m.signECDSA(input)
	case mechanism.EdDSA:
		return m.signEdDSA(mech, input)
	case mechanism.MLDSA:
		return m.signMLDSA(mech, input)
	case mechanism.SLHDSA:
		return m.signSLHDSA(mech, input)
	case mechanism.HMAC, mechanism.AESCMAC, mechanism.AESGMAC:
		return m.mac(mech, input)
	}
	return nil, unsupported(mech)
}

// Verify checks a signature or message authentication code. It returns
// ckr.SignatureLenRange if the length alone shows that it is none, and
// ckr.SignatureInvalid if it is not that of the input.
func Verify(m *Material, mech mechanism.Mechanism, input, signature []byte) error {
	mech, err := prepared(m, mech)
	if err != nil {
		return err
	}
	switch mech := mech.(type) {
	case mechanism.RSAPKCS:
		return m.verifyPKCS1(mech, input, signature)
	case mechanism.RSAX509:
		return m.verifyX509(input, signature)
	case mechanism.RSAPSS:
		return m.verifyPSS(mech, input, signature)
	case mechanism.ECDSA:
		return m.verifyECDSA(input, signature)
	case mechanism.EdDSA:
		return m.verifyEdDSA(mech, input, signature)
	case mechanism.MLDSA:
		return m.verifyMLDSA(mech, input, signature)
	case mechanism.SLHDSA:
		return m.verifySLHDSA(mech, input, signature)
	case mechanism.HMAC, mechanism.AESCMAC, mechanism.AESGMAC:
		return m.verifyMAC(mech, input, signature)
	}
	return unsupported(mech)
}

// Encrypt encrypts data. The tag of GCM follows the ciphertext.
func Encrypt(m *Material, mech mechanism.Mechanism, data []byte) ([]byte, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	switch mech := mech.(type) {
	case mechanism.RSAPKCS:
		return m.encryptPKCS1(mech, data)
	case mechanism.RSAX509:
		return m.encryptX509(data)
	case mechanism.RSAOAEP:
		return m.encryptOAEP(mech, data)
	case mechanism.ChaCha20Poly1305:
		return m.sealChaCha(mech, data)
	case mechanism.AESXTS:
		return m.xts(mech, data, false, ckr.DataLenRange)
	}
	if des, single := isDES(mech); des {
		return m.encryptDES(mech, single, data)
	}
	return m.encryptAES(mech, data)
}

// Decrypt decrypts data. The result is secret, and the caller's to clear. It
// returns ckr.EncryptedDataLenRange if the length alone shows that data was
// not encrypted so, and ckr.EncryptedDataInvalid for everything else that is
// wrong with it: nothing tells a bad padding from a bad tag.
func Decrypt(m *Material, mech mechanism.Mechanism, data []byte) ([]byte, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	switch mech := mech.(type) {
	case mechanism.RSAPKCS:
		return m.decryptPKCS1(mech, data)
	case mechanism.RSAX509:
		return m.decryptX509(data)
	case mechanism.RSAOAEP:
		return m.decryptOAEP(mech, data)
	case mechanism.ChaCha20Poly1305:
		return m.openChaCha(mech, data)
	case mechanism.AESXTS:
		return m.xts(mech, data, true, ckr.EncryptedDataLenRange)
	}
	if des, single := isDES(mech); des {
		return m.decryptDES(mech, single, data)
	}
	return m.decryptAES(mech, data)
}

// needs refuses keys that are not of a type and class.
func (m *Material) needs(class object.Class, keys ...object.KeyType) error {
	ok := false
	for _, k := range keys {
		ok = ok || m.key == k
	}
	switch {
	case !ok || m.class != class:
		return ckr.Newf(ckr.KeyTypeInconsistent, "key", "a %s of class %s", m.key, m.class)
	case class == object.ClassPrivateKey && !m.private(), class == object.ClassSecretKey && m.secret == nil:
		return ckr.Newf(ckr.KeyHandleInvalid, "key", "the key material was cleared")
	}
	return nil
}
