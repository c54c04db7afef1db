// Package rawrsa is the RSA private-key operation on a block, which cards do
// and the standard library has none for the public.
//
//	answer, err := rawrsa.Apply(key, block)
//
// Paddings, and who may ask, are left to the cards.
package rawrsa

import (
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"math/big"
)

var (
	// ErrRange says that the block is not as long as the modulus, or not less.
	ErrRange = errors.New("block out of range")
	// ErrFault says that the computation went wrong.
	ErrFault = errors.New("RSA computation failed")
)

// Apply is the private-key operation on one block of the modulus' length.
//
// A block with the padding of a PKCS #1 signature, which is most of what
// clients send, is what SignPKCS1v15 makes of its content, so it goes that
// way, in constant time and at full speed. Every other block goes through
// math/big, and so does every one where only FIPS 140 is allowed, which
// SignPKCS1v15 does not take for that.
func Apply(priv *rsa.PrivateKey, block []byte) ([]byte, error) {
	if len(block) != priv.Size() {
		return nil, ErrRange
	}
	if content, ok := signaturePadded(block); ok && !fips140.Enforced() && len(content)+11 <= len(block) {
		out, err := rsa.SignPKCS1v15(nil, priv, 0, content)
		if err != nil {
			return nil, ErrFault
		}
		return out, nil
	}
	return blinded(priv, block)
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

// blinded computes block^d mod n by the Chinese remainder theorem. math/big
// does not run in constant time, so the block is blinded by a random number:
// what is raised to the secret exponents is then nothing that the sender
// knows. The result is checked, since a fault in one half would give the
// factors away.
func blinded(priv *rsa.PrivateKey, block []byte) ([]byte, error) {
	m := new(big.Int).SetBytes(block)
	if m.Cmp(priv.N) >= 0 {
		return nil, ErrRange
	}
	e := big.NewInt(int64(priv.E))
	r, inverse := blinding(priv.N)
	if r == nil {
		return nil, ErrFault
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
		return nil, ErrFault
	}
	return s.FillBytes(make([]byte, priv.Size())), nil
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
