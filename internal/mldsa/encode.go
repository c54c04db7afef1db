package mldsa

import (
	"bytes"
	"crypto/sha3"
)

// privateKey has the transforms of a private key's vectors.
type privateKey struct{ s1, s2, t0 []poly }

func (k *privateKey) clear() {
	clear(k.s1)
	clear(k.s2)
	clear(k.t0)
}

// decodePrivate is Algorithm 25.
func (p Parameters) decodePrivate(private []byte) *privateKey {
	rest := private[head:]
	vector := func(length, width int, above uint32) []poly {
		v := make([]poly, length)
		for i := range v {
			unpack(&v[i], rest, width)
			for j, x := range v[i] {
				v[i][j] = sub(above, x)
			}
			v[i].ntt()
			rest = rest[n*width/8:]
		}
		return v
	}
	return &privateKey{
		s1: vector(p.l, p.etaBits, uint32(p.eta)),
		s2: vector(p.k, p.etaBits, uint32(p.eta)),
		t0: vector(p.k, d, 1<<(d-1)),
	}
}

// unpack reads numbers of width bits, least significant first (Algorithm 18).
func unpack(p *poly, packed []byte, width int) {
	var buffer uint64
	have, at := 0, 0
	for i := range p {
		for ; have < width; have += 8 {
			buffer |= uint64(packed[at]) << have
			at++
		}
		p[i] = uint32(buffer) & (1<<width - 1)
		buffer >>= width
		have -= width
	}
}

// pack appends numbers of width bits (Algorithm 16).
func pack(out []byte, p *poly, width int) []byte {
	var buffer uint64
	have := 0
	for _, x := range p {
		buffer |= uint64(x) << have
		for have += width; have >= 8; have -= 8 {
			out = append(out, byte(buffer))
			buffer >>= 8
		}
	}
	return out
}

// encodeHighBits encodes the high bits of a vector.
func (p Parameters) encodeHighBits(w []poly) []byte {
	high := make([]poly, len(w))
	defer clear(high)
	for i := range w {
		for j, x := range w[i] {
			high[i][j], _ = p.decompose(x)
		}
	}
	return p.packHighBits(high)
}

// packHighBits is Algorithm 28.
func (p Parameters) packHighBits(high []poly) []byte {
	out := make([]byte, 0, len(high)*n*p.w1Bits/8)
	for i := range high {
		out = pack(out, &high[i], p.w1Bits)
	}
	return out
}

// encodeSignature is Algorithm 26.
func (p Parameters) encodeSignature(commitment []byte, z, hints []poly) []byte {
	out := make([]byte, 0, p.SignatureSize())
	out = append(out, commitment...)
	for i := range z {
		var above poly
		for j, x := range z[i] {
			above[j] = sub(uint32(p.gamma1()), x)
		}
		out = pack(out, &above, p.gammaBits)
	}
	places, ends := make([]byte, 0, p.omega), make([]byte, 0, p.k)
	for i := range hints {
		for j, h := range hints[i] {
			if h != 0 {
				places = append(places, byte(j))
			}
		}
		ends = append(ends, byte(len(places)))
	}
	out = append(out, places...)
	out = append(out, make([]byte, p.omega-len(places))...)
	return append(out, ends...)
}

// decodeSignature is Algorithm 27. ok is false for hints that no signer encodes.
func (p Parameters) decodeSignature(signature []byte) (commitment []byte, z, hints []poly, ok bool) {
	commitment, rest := signature[:p.challenge], signature[p.challenge:]
	z = make([]poly, p.l)
	for i := range z {
		unpack(&z[i], rest, p.gammaBits)
		for j, x := range z[i] {
			z[i][j] = sub(uint32(p.gamma1()), x)
		}
		rest = rest[n*p.gammaBits/8:]
	}
	places, ends := rest[:p.omega], rest[p.omega:]
	hints = make([]poly, p.k)
	from := 0
	for i := range hints {
		to := int(ends[i])
		if to < from || to > p.omega {
			return nil, nil, nil, false
		}
		for at := from; at < to; at++ {
			if at > from && places[at] <= places[at-1] {
				return nil, nil, nil, false
			}
			hints[i][places[at]] = 1
		}
		from = to
	}
	if len(bytes.Trim(places[from:], "\x00")) != 0 {
		return nil, nil, nil, false
	}
	return commitment, z, hints, true
}

// matrix is ExpandA, Algorithm 32: transforms, row by row.
func (p Parameters) matrix(rho []byte) []poly {
	a := make([]poly, p.k*p.l)
	for i := range a {
		h := sha3.NewSHAKE128()
		h.Write(rho)
		h.Write([]byte{byte(i % p.l), byte(i / p.l)})
		var block [168]byte
		at := len(block)
		for j := 0; j < n; at += 3 {
			if at == len(block) {
				h.Read(block[:])
				at = 0
			}
			x := uint32(block[at]) | uint32(block[at+1])<<8 | uint32(block[at+2]&0x7f)<<16
			if x < q {
				a[i][j] = x
				j++
			}
		}
	}
	return a
}

// mask is one polynomial of ExpandMask, Algorithm 34.
func (p Parameters) mask(y *poly, seed []byte, counter uint16) {
	packed := hash(n*p.gammaBits/8, seed, []byte{byte(counter), byte(counter >> 8)})
	defer clear(packed)
	unpack(y, packed, p.gammaBits)
	for i, x := range y {
		y[i] = sub(uint32(p.gamma1()), x)
	}
}

// ball is SampleInBall, Algorithm 29.
func (p Parameters) ball(seed []byte) (c poly) {
	h := sha3.NewSHAKE256()
	h.Write(seed)
	var signs [8]byte
	h.Read(signs[:])
	var next [1]byte
	for i := n - p.tau; i < n; i++ {
		h.Read(next[:])
		for int(next[0]) > i {
			h.Read(next[:])
		}
		j := next[0]
		bit := i + p.tau - n
		c[i] = c[j]
		c[j] = 1
		if signs[bit/8]>>(bit%8)&1 == 1 {
			c[j] = q - 1
		}
	}
	return c
}
