package piv

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// importable is a private key in the parts that the card takes.
type importable struct {
	alg   byte
	parts []byte
	pub   crypto.PublicKey
}

// imported reads a private key from its template.
func (a *app) imported(t object.Template) (importable, error) {
	switch kt, _ := object.In(t, object.AttrKeyType); kt {
	case object.KeyRSA:
		return a.importedRSA(t)
	case object.KeyEC, object.KeyECEdwards, object.KeyECMontgomery:
		return a.importedCurve(t)
	default:
		return importable{}, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds RSA and EC keys, not %v", kt)
	}
}

func (a *app) importedRSA(t object.Template) (importable, error) {
	get := func(attr object.Attr[*big.Int]) *big.Int { v, _ := object.In(t, attr); return v }
	n, e := get(object.AttrModulus), get(object.AttrPublicExponent)
	p, q, d := get(object.AttrPrime1), get(object.AttrPrime2), get(object.AttrPrivateExponent)
	switch {
	case n == nil || p == nil || q == nil || p.Sign() <= 0 || q.Sign() <= 0:
		return importable{}, ckr.Newf(ckr.TemplateIncomplete, "", "the card takes an RSA key by its modulus and primes")
	case e != nil && e.Cmp(big.NewInt(65537)) != 0:
		return importable{}, ckr.Newf(ckr.AttributeValueInvalid, "", "the card has RSA keys with the public exponent 65537")
	}
	k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: 65537}, D: d, Primes: []*big.Int{p, q}}
	if d == nil || d.Sign() == 0 {
		one := big.NewInt(1)
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		if k.D = new(big.Int).ModInverse(big.NewInt(65537), phi); k.D == nil {
			return importable{}, ckr.Newf(ckr.AttributeValueInvalid, "", "the primes do not fit the public exponent")
		}
	}
	if err := k.Validate(); err != nil {
		return importable{}, ckr.New(ckr.AttributeValueInvalid, "", err)
	}
	k.Precompute()
	alg := algorithmOf(&k.PublicKey)
	if alg == 0 || (alg == algRSA3072 || alg == algRSA4096) && !a.atLeast(5, 7) {
		return importable{}, ckr.Newf(ckr.KeySizeRange, "", "the card has no RSA keys of %d bits", n.BitLen())
	}
	half := rsaBits(alg) / 16
	var parts []byte
	for i, v := range []*big.Int{p, q, k.Precomputed.Dp, k.Precomputed.Dq, k.Precomputed.Qinv} {
		if v.BitLen() > 8*half {
			return importable{}, ckr.Newf(ckr.AttributeValueInvalid, "", "the primes are not of half the modulus's length")
		}
		part := v.FillBytes(make([]byte, half))
		parts = tlv.Append(parts, tlv.Tag(i+1), part)
		clear(part)
	}
	return importable{alg, parts, &k.PublicKey}, nil
}

func (a *app) importedCurve(t object.Template) (importable, error) {
	params, _ := object.In(t, object.AttrECParams)
	alg, err := a.curveAlgorithm(params)
	if err != nil {
		return importable{}, err
	}
	attr, _ := t.Lookup(object.AttrValue.Type)
	secret := attr.Bytes()
	if len(secret) == 0 {
		return importable{}, ckr.Newf(ckr.TemplateIncomplete, "", "%v is missing", object.AttrValue.Type)
	}
	k := importable{alg: alg}
	tag := tlv.Tag(0x06)
	switch c, _ := curveOf(alg); alg {
	case algEd25519:
		if len(secret) != ed25519.SeedSize {
			return k, ckr.Newf(ckr.AttributeValueInvalid, "", "an Ed25519 key has %d bytes", ed25519.SeedSize)
		}
		tag, k.pub = 0x07, ed25519.NewKeyFromSeed(secret).Public()
	case algX25519:
		priv, err := ecdh.X25519().NewPrivateKey(secret)
		if err != nil {
			return k, ckr.New(ckr.AttributeValueInvalid, "", err)
		}
		tag, k.pub = 0x08, priv.PublicKey()
	default:
		scalar := bytes.TrimLeft(secret, "\x00")
		if len(scalar) > c.Bytes {
			return k, ckr.Newf(ckr.AttributeValueInvalid, "", "the private value is not one of the curve")
		}
		secret = make([]byte, c.Bytes)
		copy(secret[c.Bytes-len(scalar):], scalar)
		defer clear(secret)
		priv, err := ecdsa.ParseRawPrivateKey(c.NIST, secret)
		if err != nil {
			return k, ckr.New(ckr.AttributeValueInvalid, "", err)
		}
		k.pub = &priv.PublicKey
	}
	k.parts = tlv.New(tag, secret)
	return k, nil
}
