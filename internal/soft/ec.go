package soft

import (
	"crypto/ecdsa"
	"crypto/rand"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// maxDigest bounds the input of ECDSA, of which only as many bits count as
// the order of the curve has.
const maxDigest = 1024

func checkECDSA(digest []byte) error {
	if len(digest) == 0 || len(digest) > maxDigest {
		return ckr.Newf(ckr.DataLenRange, "sign", "a digest of %d bytes", len(digest))
	}
	return nil
}

func (m *Material) signECDSA(digest []byte) ([]byte, error) {
	if err := m.needs(object.ClassPrivateKey, object.KeyEC); err != nil {
		return nil, err
	}
	if err := checkECDSA(digest); err != nil {
		return nil, err
	}
	der, err := ecdsa.SignASN1(rand.Reader, m.ecPrivate, digest)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "ECDSA", err)
	}
	return mechanism.ECDSAFromASN1(der, m.curve.Bytes)
}

func (m *Material) verifyECDSA(digest, signature []byte) error {
	if err := m.needs(object.ClassPublicKey, object.KeyEC); err != nil {
		return err
	}
	if err := checkECDSA(digest); err != nil {
		return err
	}
	if len(signature) != 2*m.curve.Bytes {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(signature), 2*m.curve.Bytes)
	}
	der, err := mechanism.ECDSAToASN1(signature)
	if err != nil || !ecdsa.VerifyASN1(m.ecPublic, digest, der) {
		return badSignature()
	}
	return nil
}
