package soft

import (
	"crypto"
	"crypto/rand"

	"github.com/cloudflare/circl/sign"
	"github.com/cloudflare/circl/sign/mldsa/mldsa44"
	"github.com/cloudflare/circl/sign/mldsa/mldsa65"
	"github.com/cloudflare/circl/sign/mldsa/mldsa87"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func mldsaRows() []row {
	keys, size := pairs(object.KeyMLDSA), sizes{1312, 2592} // bytes of the public key
	hashed := scheme[mechanism.HashMLDSA]{
		keys: keys, sizes: size, unapproved: true,
		sign: (*Material).signHashMLDSA, verify: (*Material).verifyHashMLDSA,
	}
	rows := []row{
		scheme[mechanism.MLDSA]{
			keys: keys, sizes: size, unapproved: true, // not of the standard library
			sign: (*Material).signMLDSA, verify: (*Material).verifyMLDSA,
		}.row(mechanism.MLDSA{}),
		scheme[mechanism.MLDSAKeyPairGen]{
			keys: keys, sizes: size, unapproved: true,
			generatePair: generatePQ[mechanism.MLDSAKeyPairGen](object.KeyMLDSA),
		}.row(mechanism.MLDSAKeyPairGen{}),
		hashed.row(mechanism.HashMLDSA{Hash: crypto.SHA256, Digested: true}),
		hashed.row(mechanism.HashMLDSA{SHAKE: 128}),
		hashed.row(mechanism.HashMLDSA{SHAKE: 256}),
	}
	for _, h := range signing {
		rows = append(rows, hashed.row(mechanism.HashMLDSA{Hash: h}))
	}
	return rows
}

// dsaSet is one parameter set of ML-DSA, FIPS 204 §4.
type dsaSet struct {
	scheme sign.Scheme
	sign   func(key sign.PrivateKey, message, context []byte, hedged bool) ([]byte, error)
}

var dsaSets = map[object.ParameterSet]dsaSet{
	object.ParameterSetMLDSA44: {mldsa44.Scheme(), func(key sign.PrivateKey, message, context []byte, hedged bool) ([]byte, error) {
		out := make([]byte, mldsa44.SignatureSize)
		return out, mldsa44.SignTo(key.(*mldsa44.PrivateKey), message, context, hedged, out)
	}},
	object.ParameterSetMLDSA65: {mldsa65.Scheme(), func(key sign.PrivateKey, message, context []byte, hedged bool) ([]byte, error) {
		out := make([]byte, mldsa65.SignatureSize)
		return out, mldsa65.SignTo(key.(*mldsa65.PrivateKey), message, context, hedged, out)
	}},
	object.ParameterSetMLDSA87: {mldsa87.Scheme(), func(key sign.PrivateKey, message, context []byte, hedged bool) ([]byte, error) {
		out := make([]byte, mldsa87.SignatureSize)
		return out, mldsa87.SignTo(key.(*mldsa87.PrivateKey), message, context, hedged, out)
	}},
}

// mldsaKey is a public or private key of ML-DSA.
type mldsaKey struct {
	set     dsaSet
	public  sign.PublicKey
	private sign.PrivateKey
}

func (m *Material) loadMLDSA(all object.Template) error {
	number, ok := object.In(all, object.AttrParameterSet)
	if !ok {
		return missing(object.AttrParameterSet)
	}
	set, ok := dsaSets[number]
	if !ok {
		return ckr.New(ckr.ParameterSetNotSupported, object.AttrParameterSet.String(), nil)
	}
	m.set = number
	key := &mldsaKey{set: set}
	m.mldsa = key
	var err error
	if m.class != object.ClassPrivateKey {
		value, ok := object.In(all, object.AttrValue)
		if !ok {
			return missing(object.AttrValue)
		}
		m.public = value
		if key.public, err = set.scheme.UnmarshalBinaryPublicKey(value); err != nil {
			return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err)
		}
		return nil
	}
	m.secret, m.seed, err = m.loadSeeded(all, set.scheme.PrivateKeySize(), set.scheme.SeedSize(), func(seed []byte) ([]byte, error) {
		_, key := set.scheme.DeriveKey(seed)
		return key.MarshalBinary()
	})
	if err != nil {
		return err
	}
	if err := checkMLDSA(number, m.secret); err != nil {
		return err
	}
	if key.private, err = set.scheme.UnmarshalBinaryPrivateKey(m.secret); err != nil {
		return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), err)
	}
	public, ok := key.private.Public().(sign.PublicKey)
	if !ok {
		return ckr.New(ckr.AttributeValueInvalid, object.AttrValue.String(), nil)
	}
	m.public, err = public.MarshalBinary()
	return library(err)
}

// checkMLDSA refuses private keys whose short vectors have coefficients out of
// range, which the decoding of FIPS 204 §7.2 leaves to the caller: with them
// signatures would tell about the key.
func checkMLDSA(set object.ParameterSet, value []byte) error {
	const head = 32 + 32 + 64 // ρ, K and tr
	rows := map[object.ParameterSet]struct{ vectors, eta int }{
		object.ParameterSetMLDSA44: {4 + 4, 2}, object.ParameterSetMLDSA65: {6 + 5, 4}, object.ParameterSetMLDSA87: {8 + 7, 2},
	}
	row := rows[set]
	bits := uint(3)
	if row.eta == 4 {
		bits = 4
	}
	packed := value[head:][:row.vectors*256*int(bits)/8]
	var bad, buffer uint64
	have := uint(0)
	for _, b := range packed {
		buffer |= uint64(b) << have
		for have += 8; have >= bits; have -= bits {
			bad |= (uint64(2*row.eta) - buffer&(1<<bits-1)) >> 63 // 1 if the coefficient is larger
			buffer >>= bits
		}
	}
	if bad != 0 {
		return ckr.Newf(ckr.AttributeValueInvalid, object.AttrValue.String(), "no key of ML-DSA")
	}
	return nil
}

func (m *Material) signMLDSA(mech mechanism.MLDSA, message []byte) ([]byte, error) {
	signature, err := m.mldsa.set.sign(m.mldsa.private, message, mech.Context, mech.Hedge != mechanism.DeterministicRequired)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "ML-DSA", err)
	}
	return signature, nil
}

func (m *Material) verifyMLDSA(mech mechanism.MLDSA, message, signature []byte) error {
	set := m.mldsa.set.scheme
	if len(signature) != set.SignatureSize() {
		return ckr.Newf(ckr.SignatureLenRange, "verify", "%d bytes, want %d", len(signature), set.SignatureSize())
	}
	if !set.Verify(m.mldsa.public, message, signature, &sign.SignatureOpts{Context: string(mech.Context)}) {
		return badSignature()
	}
	return nil
}

// randomSeed returns n random bytes.
func randomSeed(n int) []byte {
	seed := make([]byte, n)
	rand.Read(seed)
	return seed
}
