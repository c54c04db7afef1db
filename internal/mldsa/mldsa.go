package mldsa

import (
	"crypto/sha3"
	"crypto/subtle"
)

// Parameters is a parameter set, FIPS 204 §4.
type Parameters struct {
	k, l       int   // the size of the matrix
	eta        int32 // the bound of the private key's coefficients
	etaBits    int   // in the private key
	tau        int   // the number of coefficients of a challenge that are not 0
	beta       int32 // the product of tau and eta
	gammaBits  int   // γ₁ is 2 to the power of gammaBits - 1
	gamma2     int32
	omega      int // the most ones of a hint
	challenge  int // bytes of the commitment's hash
	w1Bits     int
	publicSize int
}

// The parameter sets.
var (
	MLDSA44 = Parameters{4, 4, 2, 3, 39, 78, 18, (q - 1) / 88, 80, 32, 6, 1312}
	MLDSA65 = Parameters{6, 5, 4, 4, 49, 196, 20, (q - 1) / 32, 55, 48, 4, 1952}
	MLDSA87 = Parameters{8, 7, 2, 3, 60, 120, 20, (q - 1) / 32, 75, 64, 4, 2592}
)

func (p Parameters) gamma1() int32 { return 1 << (p.gammaBits - 1) }

// SignatureSize returns the length of signatures in bytes.
func (p Parameters) SignatureSize() int { return p.challenge + p.l*n*p.gammaBits/8 + p.omega + p.k }

// PublicSize returns the length of public keys in bytes.
func (p Parameters) PublicSize() int { return p.publicSize }

// PrivateSize returns the length of private keys in bytes.
func (p Parameters) PrivateSize() int { return head + (p.k+p.l)*n*p.etaBits/8 + p.k*n*d/8 }

// head is the length of ρ, K and tr, with which a private key begins.
const head = 32 + 32 + 64

// PrivateKeyHash returns tr, the hash of the public key, of a private key.
func PrivateKeyHash(private []byte) []byte { return private[64:head] }

// PublicKeyHash returns tr, the hash of a public key.
func PublicKeyHash(public []byte) []byte { return sha3.SumSHAKE256(public, 64) }

// Representative returns µ, the representative of a formatted message.
func Representative(publicKeyHash []byte, formatted ...[]byte) []byte {
	return hash(64, append([][]byte{publicKeyHash}, formatted...)...)
}

// hash is SHAKE256 of parts, H of FIPS 204 §3.7.
func hash(length int, parts ...[]byte) []byte {
	h := sha3.NewSHAKE256()
	for _, part := range parts {
		h.Write(part)
	}
	out := make([]byte, length)
	h.Read(out)
	return out
}

// Sign signs a representative of 64 bytes with a private key and 32 random bytes,
// or 32 zeros for the deterministic variant (Algorithm 7).
func (p Parameters) Sign(private, mu, random []byte) []byte {
	key := p.decodePrivate(private)
	defer key.clear()
	a := p.matrix(private[:32])
	seed := hash(64, private[32:64], random, mu)
	defer clear(seed)
	for counter := uint16(0); ; counter += uint16(p.l) {
		if signature := p.attempt(key, a, seed, counter, mu); signature != nil {
			return signature
		}
	}
}

// attempt makes a signature, or nothing if it would tell about the key.
func (p Parameters) attempt(key *privateKey, a []poly, seed []byte, counter uint16, mu []byte) []byte {
	y, product := make([]poly, p.l), make([]poly, p.l)
	defer clear(y)
	defer clear(product)
	for i := range y {
		p.mask(&y[i], seed, counter+uint16(i))
		product[i] = y[i]
		product[i].ntt()
	}
	w := p.times(a, product)
	defer clear(w)
	commitment := hash(p.challenge, mu, p.encodeHighBits(w))
	c := p.ball(commitment)
	c.ntt()

	for i := range y { // z
		var cs poly
		cs.addProduct(&c, &key.s1[i])
		cs.inverse()
		y[i].add(&cs)
		clear(cs[:])
	}
	reject := exceed(y, p.gamma1()-p.beta)
	hints, ones := make([]poly, p.k), 0
	for i := range w {
		var cs, ct poly
		cs.addProduct(&c, &key.s2[i])
		cs.inverse()
		w[i].sub(&cs)
		low := w[i]
		for j := range low {
			_, r0 := p.decompose(low[j])
			low[j] = field(r0)
		}
		ct.addProduct(&c, &key.t0[i])
		ct.inverse()
		reject = reject || low.exceeds(p.gamma2-p.beta) || ct.exceeds(p.gamma2)
		for j := range ct {
			without, _ := p.decompose(w[i][j])
			with, _ := p.decompose(add(w[i][j], ct[j]))
			if without != with {
				hints[i][j] = 1
				ones++
			}
		}
		clear(cs[:])
		clear(low[:])
		clear(ct[:])
	}
	if reject || ones > p.omega {
		return nil
	}
	return p.encodeSignature(commitment, y, hints)
}

func exceed(v []poly, bound int32) (any bool) {
	for i := range v {
		over := v[i].exceeds(bound)
		any = any || over
	}
	return any
}

// Verify reports whether a signature is that of a representative by a public key
// (Algorithm 8).
func (p Parameters) Verify(public, mu, signature []byte) bool {
	if len(public) != p.publicSize || len(signature) != p.SignatureSize() {
		return false
	}
	commitment, z, hints, ok := p.decodeSignature(signature)
	if !ok || exceed(z, p.gamma1()-p.beta) {
		return false
	}
	c := p.ball(commitment)
	c.ntt()
	for i := range z {
		z[i].ntt()
	}
	a := p.matrix(public[:32])
	w := make([]poly, p.k)
	for i := range w {
		for j := range z {
			w[i].addProduct(&a[i*p.l+j], &z[j])
		}
		var t1, ct poly
		unpack(&t1, public[32+i*n*10/8:], 10)
		for j := range t1 {
			t1[j] <<= d
		}
		t1.ntt()
		ct.addProduct(&c, &t1)
		w[i].sub(&ct)
		w[i].inverse()
		for j := range w[i] {
			w[i][j] = p.useHint(hints[i][j], w[i][j])
		}
	}
	again := hash(p.challenge, mu, p.packHighBits(w))
	return subtle.ConstantTimeCompare(again, commitment) == 1
}

// times multiplies the matrix by a vector of transforms.
func (p Parameters) times(a, v []poly) []poly {
	w := make([]poly, p.k)
	for i := range w {
		for j := range v {
			w[i].addProduct(&a[i*p.l+j], &v[j])
		}
		w[i].inverse()
	}
	return w
}

// decompose is Algorithm 36: high and low bits. It does not branch.
func (p Parameters) decompose(x uint32) (high uint32, low int32) {
	r := int32(x)
	h := (r + 127) >> 7
	if p.gamma2 == (q-1)/32 {
		h = (h*1025 + 1<<21) >> 22 & 15
	} else {
		h = (h*11275 + 1<<23) >> 24
		h ^= (43 - h) >> 31 & h
	}
	low = r - h*2*p.gamma2
	low -= ((q-1)/2 - low) >> 31 & q
	return uint32(h), low
}

// useHint is Algorithm 40.
func (p Parameters) useHint(hint, x uint32) uint32 {
	high, low := p.decompose(x)
	m := uint32((q - 1) / (2 * p.gamma2))
	switch {
	case hint == 0:
		return high
	case low > 0:
		return (high + 1) % m
	}
	return (high + m - 1) % m
}
