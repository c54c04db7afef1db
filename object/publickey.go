package object

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
)

// public computes the public key of a private value at its full length. It
// returns nothing if the FIPS mode forbids the curve, or the standard library
// does not have it.
func (c Curve) public(scalar []byte) ([]byte, error) {
	switch {
	case c.rare():
		return nil, nil
	case c.NIST != nil:
		key, err := ecdsa.ParseRawPrivateKey(c.NIST, scalar)
		if err != nil {
			return nil, err
		}
		return key.PublicKey.Bytes()
	case c.Key == KeyECEdwards:
		return ed25519.NewKeyFromSeed(scalar).Public().(ed25519.PublicKey), nil
	case fips140.Enforced():
		return nil, nil
	}
	key, err := ecdh.X25519().NewPrivateKey(scalar)
	if err != nil {
		return nil, err
	}
	return key.PublicKey().Bytes(), nil
}

// rare reports whether the standard library does not compute on the curve.
func (c Curve) rare() bool { return c.NIST == nil && c.Bytes > 32 }

// publicKeyInfo returns the SubjectPublicKeyInfo in DER of the public or
// private key that a template describes, or nothing if it does not say enough
// or the key is of a kind that is not computed here.
func publicKeyInfo(t Template) ([]byte, error) {
	key, _ := In(t, AttrKeyType)
	switch key {
	case KeyRSA:
		return rsaInfo(t)
	case KeyEC, KeyECEdwards, KeyECMontgomery:
		return ecInfo(t)
	case KeyMLDSA, KeyMLKEM, KeySLHDSA:
		return pqInfo(key, t)
	}
	return nil, nil
}

// isWideRSA reports whether SubjectPublicKeyInfo is that of an RSA key whose
// exponent is too long for the standard library, which takes 31 bits.
func isWideRSA(info []byte) bool {
	var parsed spki
	var key pkcs1Key
	if _, err := asn1.Unmarshal(info, &parsed); err != nil || !parsed.Algorithm.OID.Equal(rsaEncryption) {
		return false
	}
	_, err := asn1.Unmarshal(parsed.Key.RightAlign(), &key)
	return err == nil && key.E.BitLen() > 31
}

// rsaEncryption is the algorithm identifier of RSA keys, RFC 8017 §A.1.
var rsaEncryption = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}

// pkcs1Key is RSAPublicKey of RFC 8017 §A.1.1; crypto/x509 refuses exponents
// that cards have.
type pkcs1Key struct{ N, E *big.Int }

type spki struct {
	Algorithm algorithm
	Key       asn1.BitString
}

type algorithm struct {
	OID        asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

func rsaInfo(t Template) ([]byte, error) {
	n, hasN := In(t, AttrModulus)
	e, hasE := In(t, AttrPublicExponent)
	if !hasN || !hasE {
		return nil, nil
	}
	if e.IsInt64() && e.Int64() < 1<<31 {
		return x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: int(e.Int64())})
	}
	inner, err := asn1.Marshal(pkcs1Key{n, e})
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(spki{algorithm{rsaEncryption, asn1.NullRawValue}, asn1.BitString{Bytes: inner, BitLength: 8 * len(inner)}})
}

func ecInfo(t Template) ([]byte, error) {
	params, _ := In(t, AttrECParams)
	curve, err := namedCurve(params)
	if err != nil || curve.Name == "" {
		return nil, nil
	}
	point, err := pointOf(curve, t)
	if err != nil || len(point) == 0 {
		return nil, err
	}
	return curve.PublicKeyInfo(point)
}

// PublicKeyInfo returns SubjectPublicKeyInfo in DER of a point that is on the
// curve, or nothing if the FIPS mode forbids the curve.
func (c Curve) PublicKeyInfo(point []byte) ([]byte, error) {
	if c.rare() { // RFC 8410 §4
		return marshalInfo(c.OID, point)
	}
	key, err := c.goKey(point)
	if err != nil || key == nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key)
}

// marshalInfo returns SubjectPublicKeyInfo of a key that is bytes, with an
// algorithm that has no parameters.
func marshalInfo(oid asn1.ObjectIdentifier, key []byte) ([]byte, error) {
	return asn1.Marshal(spki{algorithm{OID: oid}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
}

// pointOf returns the public point: the one given, or that of the private
// value, or nothing.
func pointOf(curve Curve, t Template) ([]byte, error) {
	if given, ok := In(t, AttrECPoint); ok {
		return curve.Point(given)
	}
	if class, _ := In(t, AttrClass); class != ClassPrivateKey {
		return nil, nil
	}
	value, ok := In(t, AttrValue)
	if !ok {
		return nil, nil
	}
	scalar, err := curve.Scalar(value)
	clear(value)
	if err != nil {
		return nil, err
	}
	defer clear(scalar)
	return curve.public(scalar)
}

// goKey returns the key as the standard library has it, or nil if the FIPS
// mode forbids the curve.
func (c Curve) goKey(point []byte) (crypto.PublicKey, error) {
	switch {
	case c.NIST != nil:
		return ecdsa.ParseUncompressedPublicKey(c.NIST, point)
	case c.Key == KeyECEdwards:
		return ed25519.PublicKey(point), nil
	case fips140.Enforced():
		return nil, nil
	}
	return ecdh.X25519().NewPublicKey(point)
}

// GoPublicKey returns the public key that a template of a public or private
// key describes, as the standard library has it: *rsa.PublicKey,
// *ecdsa.PublicKey, ed25519.PublicKey or, for X25519, *ecdh.PublicKey. It
// returns nil if the template does not say enough or the library does not
// compute with such keys.
func GoPublicKey(t Template) (crypto.PublicKey, error) {
	info, err := publicKeyInfo(t)
	if err != nil {
		return nil, invalid(AttrPublicKeyInfo.Type, err.Error())
	}
	if len(info) == 0 {
		if info, _ = In(t, AttrPublicKeyInfo); len(info) == 0 {
			return nil, nil
		}
	}
	if _, _, ok := ParseInfo(info); ok || isWideRSA(info) { // no key of package x509
		return nil, nil
	}
	key, err := x509.ParsePKIXPublicKey(info)
	if err != nil {
		return nil, invalid(AttrPublicKeyInfo.Type, err.Error())
	}
	return key, nil
}
