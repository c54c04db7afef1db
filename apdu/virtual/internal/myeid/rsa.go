package myeid

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
)

// sha1Prefix is the DigestInfo of SHA-1 up to the digest (RFC 8017 §9.2).
const sha1Prefix = "\x30\x21\x30\x09\x06\x05\x2B\x0E\x03\x02\x1A\x05\x00\x04\x14"

func signRSA(k *key, alg byte, data []byte) ([]byte, status) {
	switch alg {
	case algRaw:
		return rawRSA(k, data)
	case algPKCS1:
		return signPKCS1(k, data)
	case algSHA1:
		if len(data) != 20 {
			return nil, swLength
		}
		return signPKCS1(k, append([]byte(sha1Prefix), data...))
	}
	return nil, swConditions
}

func signPKCS1(k *key, digestInfo []byte) ([]byte, status) {
	if len(digestInfo)+11 > k.rsa.Size() {
		return nil, swLength
	}
	out, err := rsa.SignPKCS1v15(nil, k.rsa, 0, digestInfo)
	if err != nil {
		return nil, swConditions
	}
	return out, swOK
}

// decryptRSA deciphers with or without taking PKCS #1 padding off.
func (c *Card) decryptRSA(f *file, m *command) ([]byte, status) {
	k := &f.key
	if k.rsa == nil {
		return nil, swConditions
	}
	switch c.env.alg {
	case algRaw:
		return rawRSA(k, m.data)
	case algPKCS1:
		return decryptPKCS1(k, m.data)
	}
	return nil, swConditions
}

func decryptPKCS1(k *key, cryptogram []byte) ([]byte, status) {
	if len(cryptogram) != k.rsa.Size() {
		return nil, swLength
	}
	out, err := rsa.DecryptPKCS1v15(nil, k.rsa, cryptogram)
	if err != nil {
		return nil, swConditions
	}
	return out, swOK
}

// rawRSA is the private-key operation on one block of the modulus' length.
//
// The standard library has none for the public. A block with the padding of a
// PKCS #1 signature, which is most of what clients send, is what SignPKCS1v15
// makes of its content, so it goes that way, in constant time and at full
// speed. Every other block goes through math/big.
func rawRSA(k *key, block []byte) ([]byte, status) {
	if len(block) != k.rsa.Size() {
		return nil, swLength
	}
	if content, ok := signaturePadded(block); ok {
		return signPKCS1(k, content)
	}
	return bigRSA(k.rsa, block)
}

// signaturePadded takes the padding 00 01 FF .. FF 00 off, of which at least
// eight bytes are FF.
func signaturePadded(block []byte) ([]byte, bool) {
	if block[0] != 0x00 || block[1] != 0x01 {
		return nil, false
	}
	for i, b := range block[2:] {
		switch {
		case b == 0xFF:
		case b == 0x00 && i >= 8:
			return block[2+i+1:], true
		default:
			return nil, false
		}
	}
	return nil, false
}

// bigRSA computes block^d mod n by the Chinese remainder theorem. math/big
// does not run in constant time, so the block is blinded by a random number:
// what is raised to the secret exponents is then nothing that the sender
// knows. The result is checked, since a fault in one half would give the
// factors away.
func bigRSA(priv *rsa.PrivateKey, block []byte) ([]byte, status) {
	m := new(big.Int).SetBytes(block)
	if m.Cmp(priv.N) >= 0 {
		return nil, swWrongData
	}
	e := big.NewInt(int64(priv.E))
	r, inverse := blinding(priv.N)
	if r == nil {
		return nil, swNoDiagnosis
	}
	blinded := new(big.Int).Exp(r, e, priv.N)
	blinded.Mul(blinded, m).Mod(blinded, priv.N)

	p, q, pre := priv.Primes[0], priv.Primes[1], &priv.Precomputed
	s1 := new(big.Int).Exp(new(big.Int).Mod(blinded, p), pre.Dp, p)
	s2 := new(big.Int).Exp(new(big.Int).Mod(blinded, q), pre.Dq, q)
	h := s1.Sub(s1, s2)
	h.Mul(h, pre.Qinv).Mod(h, p)
	s := h.Mul(h, q).Add(h, s2)

	s.Mul(s, inverse).Mod(s, priv.N)
	if new(big.Int).Exp(s, e, priv.N).Cmp(m) != 0 {
		return nil, swNoDiagnosis
	}
	return s.FillBytes(make([]byte, priv.Size())), swOK
}

// blinding returns a random number below n, and its inverse.
func blinding(n *big.Int) (r, inverse *big.Int) {
	for range 8 {
		r, err := rand.Int(rand.Reader, n)
		if err != nil {
			return nil, nil
		}
		if inverse := new(big.Int).ModInverse(r, n); inverse != nil {
			return r, inverse
		}
	}
	return nil, nil
}
