package object

import (
	"math/big"
	"slices"
	"sync"
)

// edwards25519 has the parameters of the curve -x² + y² = 1 + dx²y², RFC 8032
// §5.1.
var edwards25519 = sync.OnceValue(func() (params struct{ p, d *big.Int }) {
	params.p = new(big.Int).Lsh(big.NewInt(1), 255)
	params.p.Sub(params.p, big.NewInt(19))
	params.d = new(big.Int).ModInverse(big.NewInt(121666), params.p)
	params.d.Mul(params.d, big.NewInt(-121665)).Mod(params.d, params.p)
	return params
})

// validEdwards reports whether 32 bytes are a public key of Ed25519 that
// binds its owner to something: a point of the curve in its only encoding, and
// not one of the eight of small order, for which signatures can be found that
// verify for any message. The standard library checks neither before a
// signature is verified. Public keys are no secret: time may tell.
func validEdwards(key []byte) bool {
	if len(key) != 32 {
		return false
	}
	curve, one := edwards25519(), big.NewInt(1)
	bytes := slices.Clone(key)
	sign := bytes[31] >> 7
	bytes[31] &= 0x7f
	slices.Reverse(bytes)
	y := new(big.Int).SetBytes(bytes)
	if y.Cmp(curve.p) >= 0 {
		return false
	}
	square := new(big.Int).Mul(y, y)
	below := new(big.Int).Mul(square, curve.d)
	below.Add(below, one).ModInverse(below, curve.p) // never 0: -1/d is no square
	square.Sub(square, one).Mul(square, below).Mod(square, curve.p)
	x := new(big.Int).ModSqrt(square, curve.p)
	if x == nil || x.Sign() == 0 && sign == 1 {
		return false
	}
	for range 3 {
		x, y = double(x, y, curve.p, curve.d)
	}
	return x.Sign() != 0 || y.Cmp(one) != 0
}

// double adds a point to itself: (2xy/(1+dx²y²), (x²+y²)/(1-dx²y²)).
func double(x, y, p, d *big.Int) (x2, y2 *big.Int) {
	one := big.NewInt(1)
	xy := new(big.Int).Mul(x, y)
	t := new(big.Int).Mul(xy, xy)
	t.Mul(t, d).Mod(t, p)
	over := new(big.Int).Add(one, t)
	under := new(big.Int).Sub(one, t)
	x2 = new(big.Int).Lsh(xy, 1)
	x2.Mul(x2, over.ModInverse(over.Mod(over, p), p)).Mod(x2, p)
	y2 = new(big.Int).Add(new(big.Int).Mul(x, x), new(big.Int).Mul(y, y))
	y2.Mul(y2, under.ModInverse(under.Mod(under, p), p)).Mod(y2, p)
	return x2, y2
}
