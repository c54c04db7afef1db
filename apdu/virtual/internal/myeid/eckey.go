package myeid

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// curveOf returns the curve of a key length, or nil. P-192 is not among them:
// the standard library does not have it.
func curveOf(bits int) elliptic.Curve {
	switch bits {
	case 256:
		return elliptic.P256()
	case 384:
		return elliptic.P384()
	case 521:
		return elliptic.P521()
	}
	return nil
}

// parseEC makes the key of the scalar, and checks the point against it.
func (k *key) parseEC(bits int) bool {
	scalar, ok := k.parts[partScalar]
	if !ok {
		return true
	}
	if k.ec == nil {
		priv, err := ecdsa.ParseRawPrivateKey(curveOf(bits), scalar)
		if err != nil || !k.useEC(priv) {
			return false
		}
	}
	point, ok := k.parts[partPoint]
	return !ok || bytes.Equal(point, k.q)
}

func (k *key) useEC(priv *ecdsa.PrivateKey) bool {
	dh, err := priv.ECDH()
	if err != nil {
		return false
	}
	q := dh.PublicKey().Bytes()
	if k.q != nil && !bytes.Equal(k.q, q) {
		return false
	}
	k.ec, k.dh, k.q = priv, dh, q
	return true
}

// setEC takes over a generated key.
func (k *key) setEC(priv *ecdsa.PrivateKey) bool {
	scalar, err := priv.Bytes()
	if err != nil || !k.useEC(priv) {
		return false
	}
	k.set(partScalar, scalar)
	clear(scalar)
	return true
}

// point wraps the public point 04 X Y in a tag.
func (k *key) point(tag byte) []byte {
	out := append(make([]byte, 0, len(k.q)+3), tag)
	if len(k.q) >= 0x80 {
		out = append(out, 0x81)
	}
	return append(append(out, byte(len(k.q))), k.q...)
}

// ecData is GET DATA 0181 to 0186: p, a, b, G without its 04, n, and the
// public key.
func (c *Card) ecData(which byte) ([]byte, apdu.Status) {
	f := c.current
	if f.kind.plain() != kindEC {
		return nil, apdu.SWReferenceNotFound
	}
	params := curveOf(int(f.size)).Params()
	field := func(n *big.Int) []byte { return n.FillBytes(make([]byte, (params.BitSize+7)/8)) }
	switch which {
	case 0x81:
		return field(params.P), apdu.OK
	case 0x82:
		return field(new(big.Int).Sub(params.P, big.NewInt(3))), apdu.OK
	case 0x83:
		return field(params.B), apdu.OK
	case 0x84:
		return append(field(params.Gx), field(params.Gy)...), apdu.OK
	case 0x85:
		return field(params.N), apdu.OK
	}
	if f.key.q == nil || f.prop&propValid == 0 {
		return nil, apdu.SWReferenceNotFound
	}
	return f.key.point(0x30), apdu.OK
}
