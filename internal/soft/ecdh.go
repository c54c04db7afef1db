package soft

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/fips140"
	"encoding/binary"
	"math/big"

	"github.com/cloudflare/circl/dh/x448"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func ecdhRows() []row {
	agree := scheme[mechanism.ECDH]{keys: pairs(object.KeyEC, object.KeyECMontgomery), sizes: curveSizes, derive: (*Material).deriveECDH}
	cofactor := agree
	cofactor.keys = pairs(object.KeyEC)
	point := []byte{4}
	return []row{
		agree.row(mechanism.ECDH{Public: point}),
		cofactor.row(mechanism.ECDH{Public: point, Cofactor: true}),
		scheme[mechanism.ECDHAESKeyWrap]{
			keys: agree.keys, sizes: curveSizes, wrap: (*Material).wrapECDHAES, unwrap: (*Material).unwrapECDHAES,
		}.row(mechanism.ECDHAESKeyWrap{KeyBits: 256}),
	}
}

// Peer returns the other side's point of a key agreement for the curve that
// CKA_EC_PARAMS names, as it is: 04‖X‖Y, or the 32 bytes of X25519. Points
// that are not on the curve are refused with ckr.MechanismParamInvalid before
// a private key meets them, here as well as for cards: they would betray it
// piece by piece (Biehl et al. 2000). Curves that software does not know are
// ckr.CurveNotSupported.
func Peer(params []byte, mech mechanism.ECDH) ([]byte, error) {
	curve, err := object.CurveOf(params)
	if err != nil {
		return nil, err
	}
	return peer(curve, mech)
}

func peer(curve object.Curve, mech mechanism.ECDH) ([]byte, error) {
	point, err := curve.Point(mech.Public)
	if err != nil {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, mech.Type().String(), "the public key is not on %s", curve.Name)
	}
	return point, nil
}

// deriveECDH agrees on a key of a length in bytes. Of the shared secret itself it
// returns the trailing bytes (PKCS #11 v3.2 §6.3); a length that the secret
// does not have is ckr.KeySizeRange.
func (m *Material) deriveECDH(mech mechanism.ECDH, d derivation) ([]byte, error) {
	point, err := peer(m.curve, mech)
	if err != nil {
		return nil, err
	}
	secret, err := m.agree(mech, point)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return Stretch(mech, secret, d.length)
}

// curvesOf has the curves on which the standard library agrees on keys.
var curvesOf = map[elliptic.Curve]ecdh.Curve{
	elliptic.P256(): ecdh.P256(), elliptic.P384(): ecdh.P384(), elliptic.P521(): ecdh.P521(),
}

// agree computes the shared secret with a point known to be on the curve. The
// cofactor of all these curves is 1, or cleared by X25519 itself.
func (m *Material) agree(mech mechanism.ECDH, point []byte) ([]byte, error) {
	curve := curvesOf[m.curve.NIST]
	switch {
	case m.curve.NIST == elliptic.P224():
		return m.agreeP224(point), nil
	case m.curve.Name == "curve448":
		return m.agreeX448(mech, point)
	case m.curve.NIST == nil && fips140.Enforced():
		return nil, ckr.Newf(ckr.MechanismInvalid, mech.Type().String(), "the FIPS 140 mode of this program forbids %s", m.curve.Name)
	case m.curve.NIST == nil:
		curve = ecdh.X25519()
	}
	private, err := curve.NewPrivateKey(m.secret)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "ECDH", err)
	}
	public, err := curve.NewPublicKey(point)
	if err != nil {
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), err)
	}
	secret, err := private.ECDH(public)
	if err != nil { // the secret of a point of small order
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), err)
	}
	return secret, nil
}

// agreeP224 does what crypto/ecdh does not have. The group of P-224 has prime
// order: the result is never the point at infinity.
func (m *Material) agreeP224(point []byte) []byte {
	half := m.curve.Bytes
	x, y := new(big.Int).SetBytes(point[1:1+half]), new(big.Int).SetBytes(point[1+half:])
	x, _ = m.curve.NIST.ScalarMult(x, y, m.secret)
	return x.FillBytes(make([]byte, half))
}

// agreeX448 does what crypto/ecdh does not have, RFC 7748 §5.
func (m *Material) agreeX448(mech mechanism.ECDH, point []byte) ([]byte, error) {
	var shared, secret, public x448.Key
	defer clear(secret[:])
	defer clear(shared[:])
	copy(secret[:], m.secret)
	copy(public[:], point)
	if !x448.Shared(&shared, &secret, &public) {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, mech.Type().String(), "a point of small order")
	}
	return bytes.Clone(shared[:]), nil
}

// maxDerived bounds what a key derivation function is asked for, in bytes.
const maxDerived = 1 << 16

// Stretch makes a key of a length in bytes of a shared secret, which may have
// come from a card: its trailing bytes, or the output of the key derivation
// function of ANSI X9.63 or SP 800-56A that the mechanism names. Length 0 is
// that of the secret or of the hash function. It returns ckr.KeySizeRange for
// lengths that cannot be had.
func Stretch(mech mechanism.ECDH, secret []byte, length int) ([]byte, error) {
	if err := mechanism.Check(mech); err != nil {
		return nil, err
	}
	h, sp800, hashed := mech.KDF.Hash()
	most := len(secret)
	if hashed {
		most = maxDerived
	}
	if length < 0 || length > most {
		return nil, ckr.Newf(ckr.KeySizeRange, "derive", "%d bytes", length)
	}
	if !hashed {
		if length == 0 {
			length = len(secret)
		}
		return append([]byte(nil), secret[len(secret)-length:]...), nil
	}
	if length == 0 {
		length = h.Size()
	}
	sum, out := h.New(), make([]byte, 0, length+h.Size())
	for counter := uint32(1); len(out) < length; counter++ {
		var count [4]byte
		binary.BigEndian.PutUint32(count[:], counter)
		sum.Reset()
		if sp800 {
			sum.Write(count[:])
			sum.Write(secret)
		} else {
			sum.Write(secret)
			sum.Write(count[:])
		}
		sum.Write(mech.SharedData)
		out = sum.Sum(out)
	}
	clear(out[length:])
	return out[:length:length], nil
}
