package soft

import (
	"crypto/rand"

	"github.com/cloudflare/circl/sign/slhdsa"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func slhdsaRows() []row {
	keys, size := pairs(object.KeySLHDSA), sizes{32, 64} // bytes of the public key
	slh := scheme[mechanism.SLHDSA]{
		keys: keys, sizes: size, unapproved: true, // not of the standard library
		sign: (*Material).signSLHDSA, verify: (*Material).verifySLHDSA,
	}
	rows := []row{
		slh.row(mechanism.SLHDSA{}),
		scheme[mechanism.SLHDSAKeyPairGen]{
			keys: keys, sizes: size, unapproved: true,
			generatePair: generatePQ[mechanism.SLHDSAKeyPairGen](object.KeySLHDSA),
		}.row(mechanism.SLHDSAKeyPairGen{}),
	}
	for _, h := range signing {
		rows = append(rows, slh.row(mechanism.SLHDSA{Hash: h}))
	}
	return rows
}

// slhSets are the parameter sets of SLH-DSA, FIPS 205 §11.
var slhSets = map[object.ParameterSet]slhdsa.ID{
	object.ParameterSetSLHDSASHA2_128S: slhdsa.SHA2_128s, object.ParameterSetSLHDSASHAKE128S: slhdsa.SHAKE_128s,
	object.ParameterSetSLHDSASHA2_128F: slhdsa.SHA2_128f, object.ParameterSetSLHDSASHAKE128F: slhdsa.SHAKE_128f,
	object.ParameterSetSLHDSASHA2_192S: slhdsa.SHA2_192s, object.ParameterSetSLHDSASHAKE192S: slhdsa.SHAKE_192s,
	object.ParameterSetSLHDSASHA2_192F: slhdsa.SHA2_192f, object.ParameterSetSLHDSASHAKE192F: slhdsa.SHAKE_192f,
	object.ParameterSetSLHDSASHA2_256S: slhdsa.SHA2_256s, object.ParameterSetSLHDSASHAKE256S: slhdsa.SHAKE_256s,
	object.ParameterSetSLHDSASHA2_256F: slhdsa.SHA2_256f, object.ParameterSetSLHDSASHAKE256F: slhdsa.SHAKE_256f,
}

func (m *Material) loadSLHDSA(all object.Template) error {
	number, ok := object.In(all, object.AttrParameterSet)
	if !ok {
		return missing(object.AttrParameterSet)
	}
	id, ok := slhSets[number]
	if !ok {
		return ckr.New(ckr.ParameterSetNotSupported, object.AttrParameterSet.String(), nil)
	}
	m.set = number
	value, ok := object.In(all, object.AttrValue)
	if !ok || len(value) == 0 {
		return missing(object.AttrValue)
	}
	bad := func(err error) error { return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err) }
	if m.class != object.ClassPrivateKey {
		m.public = value
		m.slhPublic = &slhdsa.PublicKey{ID: id}
		if len(value) != id.Scheme().PublicKeySize() || m.slhPublic.UnmarshalBinary(value) != nil {
			return bad(nil)
		}
		return nil
	}
	m.secret = value
	m.slhPrivate = &slhdsa.PrivateKey{ID: id}
	if len(value) != id.Scheme().PrivateKeySize() || m.slhPrivate.UnmarshalBinary(value) != nil {
		return bad(nil)
	}
	var err error
	if m.public, err = m.slhPrivate.PublicKey().MarshalBinary(); err != nil {
		return bad(err)
	}
	return nil
}

// slhMessage returns the message, or its digest in the form that is signed.
func slhMessage(mech mechanism.SLHDSA, message []byte) (*slhdsa.Message, error) {
	if mech.Hash == 0 {
		return slhdsa.NewMessage(message), nil
	}
	hash, err := slhdsa.NewPreHashWithHash(mech.Hash)
	if err != nil {
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), err)
	}
	hash.Write(message)
	return hash.BuildMessage()
}

func (m *Material) signSLHDSA(mech mechanism.SLHDSA, message []byte) ([]byte, error) {
	prepared, err := slhMessage(mech, message)
	if err != nil {
		return nil, err
	}
	var signature []byte
	if mech.Hedge == mechanism.DeterministicRequired {
		signature, err = slhdsa.SignDeterministic(m.slhPrivate, prepared, mech.Context)
	} else {
		signature, err = slhdsa.SignRandomized(m.slhPrivate, rand.Reader, prepared, mech.Context)
	}
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "SLH-DSA", err)
	}
	return signature, nil
}

func (m *Material) verifySLHDSA(mech mechanism.SLHDSA, message, signature []byte) error {
	if want := m.slhPublic.ID.Scheme().SignatureSize(); len(signature) != want {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(signature), want)
	}
	prepared, err := slhMessage(mech, message)
	if err != nil {
		return err
	}
	if !slhdsa.Verify(m.slhPublic, prepared, signature, mech.Context) {
		return badSignature()
	}
	return nil
}

// SignatureSize is the length in bytes of the signatures of a post-quantum
// key, 0 for others.
func SignatureSize(all object.Template) int {
	key, _ := object.In(all, object.AttrKeyType)
	set, _ := object.In(all, object.AttrParameterSet)
	id, isSLH := slhSets[set]
	switch dsa, isDSA := dsaSets[set]; {
	case key == object.KeyMLDSA && isDSA:
		return dsa.scheme.SignatureSize()
	case key == object.KeySLHDSA && isSLH:
		return id.Scheme().SignatureSize()
	}
	return 0
}
