package object

import (
	"crypto/rand"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Bounds of RSA keys: what no one should use any more, and what would make
// every check a denial of service.
const (
	minModulusBits  = 512
	maxModulusBits  = 16384
	maxExponentBits = 256
)

// finishRSA checks an RSA key and fills in what follows from its parts.
func finishRSA(class Class, t Template) (Template, error) {
	n, hasN := In(t, AttrModulus)
	e, hasE := In(t, AttrPublicExponent)
	if hasE {
		if e.Bit(0) == 0 || e.BitLen() < 2 || e.BitLen() > maxExponentBits || hasN && e.Cmp(n) >= 0 {
			return nil, invalid(AttrPublicExponent.Type, "not odd, or out of range")
		}
	}
	if bits, ok := In(t, AttrModulusBits); ok && (bits < minModulusBits || bits > maxModulusBits) {
		return nil, invalid(AttrModulusBits.Type, "out of range")
	}
	if !hasN {
		return t, nil
	}
	if n.Bit(0) == 0 || n.BitLen() < minModulusBits || n.BitLen() > maxModulusBits {
		return nil, invalid(AttrModulus.Type, "not odd, or out of range")
	}
	if class == ClassPublicKey {
		if bits, ok := In(t, AttrModulusBits); ok && bits != uint64(n.BitLen()) {
			return nil, ckr.Newf(ckr.TemplateInconsistent, AttrModulusBits.String(), "the modulus has %d bits", n.BitLen())
		}
		return t.With(AttrModulusBits.Is(uint64(n.BitLen()))), nil
	}
	return finishPrivateRSA(t, n, e)
}

// finishPrivateRSA checks that the private parts belong to the modulus, so
// that a key altered on its way cannot betray its factors by a faulty
// signature, and fills in the parts that are missing.
func finishPrivateRSA(t Template, n, e *big.Int) (Template, error) {
	d, ok := In(t, AttrPrivateExponent)
	if !ok || e == nil {
		return t, nil
	}
	if d.Sign() <= 0 || d.Cmp(n) >= 0 {
		return nil, invalid(AttrPrivateExponent.Type, "out of range")
	}
	p, q, ok := primesOf(t, n, e, d)
	if !ok {
		return nil, invalid(AttrPrivateExponent.Type, "the parts do not make a key")
	}
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	inverse := new(big.Int).ModInverse(q, p)
	product := new(big.Int).Mul(e, d)
	if inverse == nil || !congruentToOne(product, p1) || !congruentToOne(product, q1) {
		return nil, invalid(AttrPrivateExponent.Type, "the exponents do not belong together")
	}
	for _, part := range []struct {
		attr  Attr[*big.Int]
		value *big.Int
	}{
		{AttrPrime1, p}, {AttrPrime2, q},
		{AttrExponent1, new(big.Int).Mod(d, p1)}, {AttrExponent2, new(big.Int).Mod(d, q1)},
		{AttrCoefficient, inverse},
	} {
		if given, ok := In(t, part.attr); ok && given.Cmp(part.value) != 0 {
			return nil, invalid(part.attr.Type, "it does not belong to the key")
		}
		t = t.Default(part.attr.Is(part.value))
	}
	return t, nil
}

func congruentToOne(x, modulus *big.Int) bool {
	return modulus.Sign() > 0 && new(big.Int).Mod(x, modulus).Cmp(big.NewInt(1)) == 0
}

// primesOf returns the two primes of the modulus: those given, the other one
// if one is given, or those that the exponents betray.
func primesOf(t Template, n, e, d *big.Int) (p, q *big.Int, ok bool) {
	p, hasP := In(t, AttrPrime1)
	q, hasQ := In(t, AttrPrime2)
	switch {
	case hasP && !hasQ:
		q = quotient(n, p)
	case hasQ && !hasP:
		p = quotient(n, q)
	case !hasP:
		p, q = factor(n, e, d)
	}
	if p == nil || q == nil || p.BitLen() < 2 || q.BitLen() < 2 || new(big.Int).Mul(p, q).Cmp(n) != 0 {
		return nil, nil, false
	}
	if hasP || hasQ { // those of factor are not trivial, and prime if the key has two
		return p, q, p.ProbablyPrime(0) && q.ProbablyPrime(0)
	}
	return p, q, true
}

func quotient(n, p *big.Int) *big.Int {
	if p.Sign() <= 0 {
		return nil
	}
	return new(big.Int).Quo(n, p)
}

// factor finds the primes of a modulus from both exponents (SP 800-56B
// Appendix C.1): a random base is expected to do with probability 1/2.
func factor(n, e, d *big.Int) (p, q *big.Int) {
	one := big.NewInt(1)
	k := new(big.Int).Mul(e, d)
	k.Sub(k, one)
	if k.Sign() <= 0 || k.Bit(0) != 0 {
		return nil, nil
	}
	twos := k.TrailingZeroBits()
	odd := new(big.Int).Rsh(k, twos)
	minusOne := new(big.Int).Sub(n, one)
	for range 64 {
		x, err := rand.Int(rand.Reader, n)
		if err != nil || x.Sign() == 0 {
			continue
		}
		x.Exp(x, odd, n)
		for range twos {
			square := new(big.Int).Mul(x, x)
			square.Mod(square, n)
			if square.Cmp(one) == 0 && x.Cmp(one) != 0 && x.Cmp(minusOne) != 0 {
				p = new(big.Int).GCD(nil, nil, x.Sub(x, one), n)
				q = new(big.Int).Quo(n, p)
				if p.Cmp(q) < 0 { // the larger first, as most encodings have it
					p, q = q, p
				}
				return p, q
			}
			x = square
		}
	}
	return nil, nil
}
