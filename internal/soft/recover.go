package soft

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// Recover returns the data that a signature holds (C_VerifyRecover): of
// PKCS #1 v1.5 what its padding surrounds, of raw RSA the whole block. It
// returns ckr.SignatureInvalid and ckr.SignatureLenRange as [Verify] does.
func Recover(m *Material, mech mechanism.Mechanism, signature []byte) ([]byte, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	padded := mech == mechanism.RSAPKCS{}
	if !padded && mech != (mechanism.RSAX509{}) {
		return nil, unsupported(mech)
	}
	if err := m.needs(object.ClassPublicKey, object.KeyRSA); err != nil {
		return nil, err
	}
	if err := m.checkSignature(signature); err != nil {
		return nil, err
	}
	block, ok := m.raw(signature)
	if !ok {
		return nil, badSignature()
	}
	if !padded {
		return block, nil
	}
	return unpadSignature(block)
}

// unpadSignature takes the padding 00 01 FF … FF 00 off, with at least eight
// bytes FF (RFC 8017 §9.2).
func unpadSignature(block []byte) ([]byte, error) {
	if block[0] != 0 || block[1] != 1 {
		return nil, badSignature()
	}
	for i, b := range block[2:] {
		switch {
		case b == 0xff:
		case b == 0 && i >= 8:
			return block[2+i+1:], nil
		default:
			return nil, badSignature()
		}
	}
	return nil, badSignature()
}

// signX509 and decryptX509 are the bare operation of the private key, which
// turns decryption into signing and back: callers offer it only to who asks
// for what is old.
func (m *Material) signX509(input []byte) ([]byte, error) {
	if err := m.needs(object.ClassPrivateKey, object.KeyRSA); err != nil {
		return nil, err
	}
	block, err := m.extended(input)
	if err != nil {
		return nil, err
	}
	return m.rawPrivate(block)
}

func (m *Material) decryptX509(data []byte) ([]byte, error) {
	if err := m.needs(object.ClassPrivateKey, object.KeyRSA); err != nil {
		return nil, err
	}
	if len(data) != m.rsaPublic.Size() {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(data))
	}
	block, err := m.extended(data)
	if err != nil {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return m.rawPrivate(block)
}
