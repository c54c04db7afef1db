package soft

import (
	"bytes"
	"crypto"
	"crypto/ed25519"

	"github.com/cloudflare/circl/dh/x448"
	"github.com/cloudflare/circl/sign/ed448"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// edOptions turns the parameters into those of the standard library.
func edOptions(mech mechanism.EdDSA) *ed25519.Options {
	options := &ed25519.Options{Context: string(mech.Context)}
	if mech.Prehash {
		options.Hash = crypto.SHA512
	}
	return options
}

// checkEdDSA checks the parameters against the curve. The prehash of Ed448 is
// SHAKE256, which is not to be had from outside: it takes messages only.
func (m *Material) checkEdDSA(mech mechanism.EdDSA, input []byte) error {
	switch {
	case !mech.Prehash:
		return nil
	case m.curve.Name == "edwards448":
		return ckr.Newf(ckr.MechanismParamInvalid, mech.Type().String(), "Ed448 is offered without prehash")
	}
	return checkDigest(input, crypto.SHA512.Size())
}

func (m *Material) signEdDSA(mech mechanism.EdDSA, input []byte) ([]byte, error) {
	if err := m.checkEdDSA(mech, input); err != nil {
		return nil, err
	}
	switch {
	case m.curve.Name == "edwards448":
		return ed448.Sign(ed448.PrivateKey(m.edPrivate), input, string(mech.Context)), nil
	case !mech.Prehash && len(mech.Context) == 0:
		return ed25519.Sign(m.edPrivate, input), nil
	}
	signature, err := m.edPrivate.Sign(nil, input, edOptions(mech))
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "EdDSA", err)
	}
	return signature, nil
}

func (m *Material) verifyEdDSA(mech mechanism.EdDSA, input, signature []byte) error {
	if err := m.checkEdDSA(mech, input); err != nil {
		return err
	}
	if want := 2 * m.curve.Bytes; len(signature) != want {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(signature), want)
	}
	good := false
	switch {
	case m.curve.Name == "edwards448":
		good = ed448.Verify(ed448.PublicKey(m.point), input, signature, string(mech.Context))
	case !mech.Prehash && len(mech.Context) == 0:
		good = ed25519.Verify(m.point, input, signature)
	default:
		good = ed25519.VerifyWithOptions(m.point, input, signature, edOptions(mech)) == nil
	}
	if !good {
		return badSignature()
	}
	return nil
}

// loadEd448 makes the private key of Ed448 of its seed, and compares its
// public key with the one given, which package object cannot compute.
func (m *Material) loadEd448(all object.Template) error {
	key := ed448.NewKeyFromSeed(m.secret)
	m.edPrivate = ed25519.PrivateKey(key)
	m.point = key[ed448.SeedSize:]
	return m.ownPoint(all, m.point)
}

// ownPoint refuses a CKA_EC_POINT that is not that of the private value.
func (m *Material) ownPoint(all object.Template, point []byte) error {
	given, ok := object.In(all, object.AttrECPoint)
	if !ok {
		return nil
	}
	if theirs, err := m.curve.Point(given); err != nil || !bytes.Equal(theirs, point) {
		return ckr.Newf(ckr.AttributeValueInvalid, object.AttrECPoint.String(), "it does not belong to the private value")
	}
	return nil
}

// loadX448 does the same for X448.
func (m *Material) loadX448(all object.Template) error {
	var public, secret x448.Key
	defer clear(secret[:])
	copy(secret[:], m.secret)
	x448.KeyGen(&public, &secret)
	m.point = public[:]
	return m.ownPoint(all, m.point)
}
