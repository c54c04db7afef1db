package piv

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// importKey is Yubico's IMPORT ASYMMETRIC KEY.
func (c *Card) importKey(m *command) ([]byte, apdu.Status) {
	switch {
	case !c.persona.offers(Algorithm(m.P1)), !isSlot(m.P2) && m.P2 != refAttestation:
		return nil, apdu.SWWrongP1P2
	case !c.admin:
		return nil, apdu.SWSecurityNotSatisfied
	}
	t, ok := elements(m.Data)
	if !ok {
		return nil, apdu.SWWrongData
	}
	private, ok := privateKey(Algorithm(m.P1), t)
	if !ok {
		return nil, apdu.SWWrongData
	}
	k, err := newKey(private)
	if err != nil || k.algorithm != Algorithm(m.P1) || !c.policies(k, t) {
		return nil, apdu.SWWrongData
	}
	return nil, c.keep(m.P2, k)
}

// privateKey puts a key together from its parts.
func privateKey(a Algorithm, t map[tlv.Tag][]byte) (private any, ok bool) {
	var err error
	switch a {
	case P256:
		private, err = scalarKey(elliptic.P256(), t[0x06])
	case P384:
		private, err = scalarKey(elliptic.P384(), t[0x06])
	case Ed25519:
		if len(t[0x07]) != ed25519.SeedSize {
			return nil, false
		}
		private = ed25519.NewKeyFromSeed(t[0x07])
	case X25519:
		private, err = ecdh.X25519().NewPrivateKey(t[0x08])
	default:
		return rsaKey(a.rsaBits(), t)
	}
	return private, err == nil
}

// scalarKey takes a scalar that may lack leading zeros.
func scalarKey(curve elliptic.Curve, scalar []byte) (*ecdsa.PrivateKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	if len(scalar) > size {
		return nil, errKind
	}
	padded := make([]byte, size)
	copy(padded[size-len(scalar):], scalar)
	return ecdsa.ParseRawPrivateKey(curve, padded)
}

// rsaKey makes an RSA key of its primes and their exponents; the public
// exponent is 65537, which is all that the card has.
func rsaKey(bits int, t map[tlv.Tag][]byte) (any, bool) {
	for _, tag := range []tlv.Tag{1, 2, 3, 4, 5} {
		if len(t[tag]) == 0 || len(t[tag]) > bits/16 {
			return nil, false
		}
	}
	p, q := new(big.Int).SetBytes(t[1]), new(big.Int).SetBytes(t[2])
	one := big.NewInt(1)
	if p.Cmp(one) <= 0 || q.Cmp(one) <= 0 {
		return nil, false
	}
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	k := &rsa.PrivateKey{Primes: []*big.Int{p, q}}
	k.N, k.E = new(big.Int).Mul(p, q), 65537
	k.D = new(big.Int).ModInverse(big.NewInt(int64(k.E)), new(big.Int).Mul(p1, q1))
	if k.D == nil || k.N.BitLen() != bits || k.Validate() != nil {
		return nil, false
	}
	// The exponents that came with the primes must be theirs.
	dp, dq := new(big.Int).Mod(k.D, p1), new(big.Int).Mod(k.D, q1)
	qinv := new(big.Int).ModInverse(q, p)
	if dp.Cmp(new(big.Int).SetBytes(t[3])) != 0 || dq.Cmp(new(big.Int).SetBytes(t[4])) != 0 ||
		qinv == nil || qinv.Cmp(new(big.Int).SetBytes(t[5])) != 0 {
		return nil, false
	}
	return k, true
}
