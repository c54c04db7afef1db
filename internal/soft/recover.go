package soft

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// recoverPKCS1 returns what the padding of a signature surrounds.
func (m *Material) recoverPKCS1(mech mechanism.RSAPKCS, signature []byte) ([]byte, error) {
	if mech != (mechanism.RSAPKCS{}) {
		return nil, unsupported(mech)
	}
	block, err := m.recoverX509(mechanism.RSAX509{}, signature)
	if err != nil {
		return nil, err
	}
	return unpadSignature(block)
}

// recoverX509 returns the whole block of a signature.
func (m *Material) recoverX509(_ mechanism.RSAX509, signature []byte) ([]byte, error) {
	if err := m.checkSignature(signature); err != nil {
		return nil, err
	}
	block, ok := m.raw(signature)
	if !ok {
		return nil, badSignature()
	}
	return block, nil
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
func (m *Material) signX509(_ mechanism.RSAX509, input []byte) ([]byte, error) {
	block, err := m.extended(input)
	if err != nil {
		return nil, err
	}
	return m.rawPrivate(block)
}

func (m *Material) decryptX509(_ mechanism.RSAX509, data []byte) ([]byte, error) {
	if len(data) != m.rsaPublic.Size() {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(data))
	}
	block, err := m.extended(data)
	if err != nil {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return m.rawPrivate(block)
}
