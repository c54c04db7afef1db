package mldsa

import "math/bits"

// q is the prime of FIPS 204 §4, n the degree of polynomials, d the number of
// bits that are dropped of t.
const (
	q = 8380417
	n = 256
	d = 13
)

// A poly is a polynomial, or its number-theoretic transform, with coefficients
// from 0 to q-1.
type poly [n]uint32

// reduceOnce returns x modulo q for x below 2q.
func reduceOnce(x uint32) uint32 {
	x -= q
	return x + q&-(x>>31)
}

func add(a, b uint32) uint32 { return reduceOnce(a + b) }

func sub(a, b uint32) uint32 { return reduceOnce(a - b + q) }

// Montgomery's multiplication: R is 2^32.
const (
	negativeInverse = 4236238847                        // -1/q modulo R
	rSquared        = (1 << 32 % q) * (1 << 32 % q) % q // R² modulo q
	scale           = (q - (q-1)/n) * rSquared % q      // R²/n modulo q
	root            = 1753                              // the primitive 512th root of unity
)

// mul returns a·b/R modulo q.
func mul(a, b uint32) uint32 {
	x := uint64(a) * uint64(b)
	t := uint32(x) * negativeInverse
	return reduceOnce(uint32((x + uint64(t)*q) >> 32))
}

// zetas are the powers of root in the order of FIPS 204 appendix B, times R.
var zetas = func() (z [n]uint32) {
	power := mul(1, rSquared)
	step := mul(root, rSquared)
	for i := range uint8(n - 1) {
		z[bits.Reverse8(i)] = power
		power = mul(power, step)
	}
	z[n-1] = power
	return z
}()

// ntt is Algorithm 41.
func (p *poly) ntt() {
	m := 0
	for length := n / 2; length >= 1; length /= 2 {
		for start := 0; start < n; start += 2 * length {
			m++
			z := zetas[m]
			for j := start; j < start+length; j++ {
				t := mul(z, p[j+length])
				p[j+length] = sub(p[j], t)
				p[j] = add(p[j], t)
			}
		}
	}
}

// inverse is Algorithm 42 for a product of two transforms, or a sum of such: it
// takes the factor 1/R off that mul left.
func (p *poly) inverse() {
	m := n
	for length := 1; length < n; length *= 2 {
		for start := 0; start < n; start += 2 * length {
			m--
			z := q - zetas[m]
			for j := start; j < start+length; j++ {
				t := p[j]
				p[j] = add(t, p[j+length])
				p[j+length] = mul(z, sub(t, p[j+length]))
			}
		}
	}
	for i := range p {
		p[i] = mul(p[i], scale)
	}
}

// addProduct adds the product of two transforms.
func (p *poly) addProduct(a, b *poly) {
	for i := range p {
		p[i] = add(p[i], mul(a[i], b[i]))
	}
}

func (p *poly) add(a *poly) {
	for i := range p {
		p[i] = add(p[i], a[i])
	}
}

func (p *poly) sub(a *poly) {
	for i := range p {
		p[i] = sub(p[i], a[i])
	}
}

// centered returns the representative of x nearest to 0.
func centered(x uint32) int32 {
	c := int32(x)
	return c - q&((q/2-c)>>31)
}

// field returns the representative of x, from -q on, that is not negative.
func field(x int32) uint32 { return uint32(x + q&(x>>31)) }

// exceeds reports whether a coefficient is not less than bound in magnitude. It
// looks at all of them.
func (p *poly) exceeds(bound int32) bool {
	var over int32
	for _, x := range p {
		c := centered(x)
		c = (c ^ c>>31) - c>>31
		over |= bound - 1 - c
	}
	return over < 0
}
