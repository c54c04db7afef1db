package soft

import (
	"crypto/ecdsa"
	"crypto/rand"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// The sizes of curves, in bits.
var (
	curveSizes = sizes{224, 521}
	otherSizes = sizes{255, 448} // of Edwards and Montgomery curves
)

func ecRows() []row {
	ecKeys, edKeys, montgomeryKeys := pairs(object.KeyEC), pairs(object.KeyECEdwards), pairs(object.KeyECMontgomery)
	ec := scheme[mechanism.ECDSA]{
		keys: ecKeys, sizes: curveSizes,
		sign: (*Material).signECDSA, verify: (*Material).verifyECDSA,
	}
	ed := scheme[mechanism.EdDSA]{
		keys: edKeys, sizes: otherSizes,
		approved: func(m mechanism.EdDSA) bool { return len(m.Context) == 0 || m.Prehash },
		sign:     (*Material).signEdDSA, verify: (*Material).verifyEdDSA,
	}
	rows := []row{
		ec.row(mechanism.ECDSA{}),
		ed.row(mechanism.EdDSA{}),
		scheme[mechanism.ECKeyPairGen]{
			keys: ecKeys, sizes: curveSizes, generatePair: generateOn[mechanism.ECKeyPairGen](object.KeyEC),
		}.row(mechanism.ECKeyPairGen{}),
		scheme[mechanism.ECEdwardsKeyPairGen]{
			keys: edKeys, sizes: otherSizes, generatePair: generateOn[mechanism.ECEdwardsKeyPairGen](object.KeyECEdwards),
		}.row(mechanism.ECEdwardsKeyPairGen{}),
		scheme[mechanism.ECMontgomeryKeyPairGen]{
			keys: montgomeryKeys, sizes: otherSizes, unapproved: true,
			generatePair: generateOn[mechanism.ECMontgomeryKeyPairGen](object.KeyECMontgomery),
		}.row(mechanism.ECMontgomeryKeyPairGen{}),
	}
	for _, h := range signing {
		rows = append(rows, ec.row(mechanism.ECDSA{Hash: h}))
	}
	return rows
}

// maxDigest bounds the input of ECDSA, of which only as many bits count as
// the order of the curve has.
const maxDigest = 1024

func checkECDSA(digest []byte) error {
	if len(digest) == 0 || len(digest) > maxDigest {
		return ckr.Newf(ckr.DataLenRange, "sign", "a digest of %d bytes", len(digest))
	}
	return nil
}

func (m *Material) signECDSA(_ mechanism.ECDSA, digest []byte) ([]byte, error) {
	if err := checkECDSA(digest); err != nil {
		return nil, err
	}
	der, err := ecdsa.SignASN1(rand.Reader, m.ecPrivate, digest)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "ECDSA", err)
	}
	return mechanism.ECDSAFromASN1(der, m.curve.Bytes)
}

func (m *Material) verifyECDSA(_ mechanism.ECDSA, digest, signature []byte) error {
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
