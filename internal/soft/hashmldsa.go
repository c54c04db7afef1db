package soft

import (
	"crypto"
	"crypto/sha3"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/mldsa"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// representatives are the parameter sets of ML-DSA for what is signed in the form
// of HashML-DSA.
var representatives = map[object.ParameterSet]mldsa.Parameters{
	object.ParameterSetMLDSA44: mldsa.MLDSA44, object.ParameterSetMLDSA65: mldsa.MLDSA65, object.ParameterSetMLDSA87: mldsa.MLDSA87,
}

// hashOIDs have the last number of the object identifier of each hash function,
// 2.16.840.1.101.3.4.2.
var hashOIDs = map[crypto.Hash]byte{
	crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3, crypto.SHA224: 4,
	crypto.SHA3_224: 7, crypto.SHA3_256: 8, crypto.SHA3_384: 9, crypto.SHA3_512: 10,
}

// shakeOIDs have those of SHAKE by its bits.
var shakeOIDs = map[int]byte{128: 11, 256: 12}

// hashMLDSA returns the representative of a message or digest for the key with
// the hash tr, FIPS 204 Algorithm 4.
func hashMLDSA(mech mechanism.HashMLDSA, tr, input []byte) ([]byte, error) {
	last, ok := hashOIDs[mech.Hash]
	if !ok {
		last = shakeOIDs[mech.SHAKE]
	}
	switch {
	case mech.Digested:
		if err := checkDigest(input, mech.DigestSize()); err != nil {
			return nil, err
		}
	case mech.SHAKE == 128:
		input = sha3.SumSHAKE128(input, mech.DigestSize())
	default:
		input = sha3.SumSHAKE256(input, mech.DigestSize())
	}
	oid := []byte{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last}
	return mldsa.Representative(tr, []byte{1, byte(len(mech.Context))}, mech.Context, oid, input), nil
}

func (m *Material) signHashMLDSA(mech mechanism.HashMLDSA, input []byte) ([]byte, error) {
	mu, err := hashMLDSA(mech, mldsa.PrivateKeyHash(m.secret), input)
	if err != nil {
		return nil, err
	}
	random := make([]byte, 32)
	if mech.Hedge != mechanism.DeterministicRequired {
		random = randomSeed(32)
	}
	defer clear(random)
	return representatives[m.set].Sign(m.secret, mu, random), nil
}

func (m *Material) verifyHashMLDSA(mech mechanism.HashMLDSA, input, signature []byte) error {
	mu, err := hashMLDSA(mech, mldsa.PublicKeyHash(m.public), input)
	if err != nil {
		return err
	}
	set := representatives[m.set]
	if len(signature) != set.SignatureSize() {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(signature), set.SignatureSize())
	}
	if !set.Verify(m.public, mu, signature) {
		return badSignature()
	}
	return nil
}
