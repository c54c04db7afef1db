package soft

import (
	"crypto/fips140"
	"crypto/mlkem"

	"github.com/cloudflare/circl/kem"
	"github.com/cloudflare/circl/kem/mlkem/mlkem1024"
	"github.com/cloudflare/circl/kem/mlkem/mlkem512"
	"github.com/cloudflare/circl/kem/mlkem/mlkem768"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func mlkemRows() []row {
	keys, size := pairs(object.KeyMLKEM), sizes{800, 1568} // bytes of the public key
	return []row{
		scheme[mechanism.MLKEM]{
			keys: keys, sizes: size, encapsulate: (*Material).encapsulate, decapsulate: (*Material).decapsulate,
		}.row(mechanism.MLKEM{}),
		scheme[mechanism.MLKEMKeyPairGen]{
			keys: keys, sizes: size, generatePair: generatePQ[mechanism.MLKEMKeyPairGen](object.KeyMLKEM),
		}.row(mechanism.MLKEMKeyPairGen{}),
	}
}

// encapsulator and decapsulator are the keys of crypto/mlkem, and of circl
// what the standard library does not have: ML-KEM-512, and private keys that
// come without their seed.
type encapsulator interface {
	Encapsulate() (secret, ciphertext []byte)
}

type decapsulator interface {
	Decapsulate(ciphertext []byte) (secret []byte, err error)
}

// kemSet is one parameter set of ML-KEM, FIPS 203 §8.
type kemSet struct {
	scheme   kem.Scheme
	public   func(value []byte) (encapsulator, error)
	fromSeed func(seed []byte) (decapsulator, error)
}

var kemSets = map[object.ParameterSet]kemSet{
	object.ParameterSetMLKEM512: {scheme: mlkem512.Scheme()},
	object.ParameterSetMLKEM768: {
		mlkem768.Scheme(),
		func(v []byte) (encapsulator, error) { return mlkem.NewEncapsulationKey768(v) },
		func(seed []byte) (decapsulator, error) { return mlkem.NewDecapsulationKey768(seed) },
	},
	object.ParameterSetMLKEM1024: {
		mlkem1024.Scheme(),
		func(v []byte) (encapsulator, error) { return mlkem.NewEncapsulationKey1024(v) },
		func(seed []byte) (decapsulator, error) { return mlkem.NewDecapsulationKey1024(seed) },
	},
}

// circlPublic is a public key of circl as one of crypto/mlkem.
type circlPublic struct {
	set kem.Scheme
	key kem.PublicKey
}

func (k circlPublic) Encapsulate() (secret, ciphertext []byte) {
	ciphertext, secret, err := k.set.Encapsulate(k.key)
	if err != nil {
		return nil, nil // not with a key of the scheme
	}
	return secret, ciphertext
}

type circlPrivate struct {
	set kem.Scheme
	key kem.PrivateKey
}

func (k circlPrivate) Decapsulate(ciphertext []byte) ([]byte, error) {
	return k.set.Decapsulate(k.key, ciphertext)
}

func (m *Material) loadMLKEM(all object.Template) error {
	number, ok := object.In(all, object.AttrParameterSet)
	if !ok {
		return missing(object.AttrParameterSet)
	}
	set, ok := kemSets[number]
	if !ok {
		return ckr.New(ckr.ParameterSetNotSupported, object.AttrParameterSet.String(), nil)
	}
	m.set = number
	m.ciphertext = set.scheme.CiphertextSize()
	if m.class != object.ClassPrivateKey {
		return m.loadPublicMLKEM(set, all)
	}
	value, seed, err := m.loadSeeded(all, set.scheme.PrivateKeySize(), set.scheme.SeedSize(), func(seed []byte) ([]byte, error) {
		_, key := set.scheme.DeriveKeyPair(seed)
		return key.MarshalBinary()
	})
	if err != nil {
		return err
	}
	m.secret, m.seed = value, seed
	key, err := set.scheme.UnmarshalBinaryPrivateKey(value)
	if err != nil {
		return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err)
	}
	if m.public, err = key.Public().MarshalBinary(); err != nil {
		return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err)
	}
	m.decapsulator = circlPrivate{set.scheme, key}
	if set.fromSeed == nil || seed == nil {
		return nil
	}
	m.decapsulator, err = set.fromSeed(seed)
	return library(err)
}

func (m *Material) loadPublicMLKEM(set kemSet, all object.Template) error {
	value, ok := object.In(all, object.AttrValue)
	if !ok {
		return missing(object.AttrValue)
	}
	var err error
	m.public = value
	if set.public != nil {
		m.encapsulator, err = set.public(value)
	} else {
		var key kem.PublicKey
		key, err = set.scheme.UnmarshalBinaryPublicKey(value)
		m.encapsulator = circlPublic{set.scheme, key}
	}
	if err != nil {
		return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err)
	}
	return nil
}

func (m *Material) encapsulate(mech mechanism.MLKEM) (secret, ciphertext []byte, err error) {
	if _, other := m.encapsulator.(circlPublic); other && fips140.Enforced() {
		return nil, nil, unsupported(mech)
	}
	secret, ciphertext = m.encapsulator.Encapsulate()
	return secret, ciphertext, nil
}

func (m *Material) decapsulate(mech mechanism.MLKEM, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) != m.ciphertext {
		return nil, ckr.Newf(ckr.WrappedKeyLenRange, "decapsulate", "%d bytes, want %d", len(ciphertext), m.ciphertext)
	}
	if _, other := m.decapsulator.(circlPrivate); other && fips140.Enforced() {
		return nil, unsupported(mech)
	}
	secret, err := m.decapsulator.Decapsulate(ciphertext)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "decapsulate", err)
	}
	return secret, nil
}
