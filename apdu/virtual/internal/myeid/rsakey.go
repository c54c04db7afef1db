package myeid

import (
	"crypto/rsa"
	"encoding/binary"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// checkRSAPart checks the length of a part for a modulus of n bytes. Numbers
// may have one leading zero; the private exponent may be given and is not
// needed, nor is the modulus.
func checkRSAPart(id byte, length, n int) apdu.Status {
	var most int
	switch id {
	case partP, partQ, partDP, partDQ, partQInv:
		most = n/2 + 1
	case partModulus, partPrivateExp:
		most = n + 1
	case partModulusHi, partModulusLo, partPrivExpHi, partPrivExpLo:
		most = n/2 + 1
	case partExponent:
		most = 4
	default:
		return apdu.SWReferenceNotFound
	}
	if length > most {
		return apdu.SWWrongLength
	}
	return apdu.OK
}

// parseRSA makes the key of both primes and the exponent, and checks every
// other part against it.
func (k *key) parseRSA(bits int) bool {
	p, q, e := k.number(partP), k.number(partQ), k.number(partExponent)
	if p == nil || q == nil || e == nil {
		return true
	}
	if k.rsa == nil {
		priv := rsaFromPrimes(p, q, e)
		if priv == nil || priv.N.BitLen() != bits {
			return false
		}
		if !k.useRSA(priv) {
			return false
		}
	}
	return k.rsaAgrees()
}

func (k *key) number(id byte) *big.Int {
	part, ok := k.parts[id]
	if !ok {
		return nil
	}
	return new(big.Int).SetBytes(part)
}

// rsaAgrees tells whether the parts that are not needed fit the key.
func (k *key) rsaAgrees() bool {
	for id, want := range map[byte]*big.Int{
		partModulus: k.rsa.N,
		partDP:      k.rsa.Precomputed.Dp,
		partDQ:      k.rsa.Precomputed.Dq,
		partQInv:    k.rsa.Precomputed.Qinv,
	} {
		if got := k.number(id); got != nil && got.Cmp(want) != 0 {
			return false
		}
	}
	return true
}

// rsaFromPrimes computes a private key. It returns nil if there is none: the
// numbers are no primes, or the exponent does not fit them.
func rsaFromPrimes(p, q, e *big.Int) *rsa.PrivateKey {
	if !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || p.Cmp(q) == 0 ||
		!p.ProbablyPrime(0) || !q.ProbablyPrime(0) {
		return nil
	}
	one := big.NewInt(1)
	p1, q1 := new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)
	phi := new(big.Int).Mul(p1, q1)
	d := new(big.Int).ModInverse(e, phi)
	if d == nil {
		return nil
	}
	priv := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: int(e.Int64())},
		D:         d,
		Primes:    []*big.Int{p, q},
	}
	priv.Precompute()
	if priv.Validate() != nil {
		return nil
	}
	return priv
}

func (k *key) useRSA(priv *rsa.PrivateKey) bool {
	if k.pub != nil && !k.pub.Equal(&priv.PublicKey) {
		return false
	}
	k.rsa, k.pub = priv, &priv.PublicKey
	return true
}

// setRSA takes over a generated key.
func (k *key) setRSA(priv *rsa.PrivateKey) {
	priv.Precompute()
	k.useRSA(priv)
	k.set(partP, priv.Primes[0].Bytes())
	k.set(partQ, priv.Primes[1].Bytes())
	k.set(partExponent, big.NewInt(int64(priv.E)).Bytes())
}

// modulus returns n in as many bytes as the key has.
func (k *key) modulus() []byte { return k.pub.N.FillBytes(make([]byte, k.pub.Size())) }

// rsaData is GET DATA 0100 to 0102: key information, modulus, exponent.
func (c *Card) rsaData(which byte) ([]byte, apdu.Status) {
	k := &c.current.key
	if k.pub == nil || c.current.prop&propValid == 0 {
		return nil, apdu.SWReferenceNotFound
	}
	switch e := big.NewInt(int64(k.pub.E)).Bytes(); which {
	case 0x00:
		out := []byte{0x92, 0x00}
		out = binary.BigEndian.AppendUint16(out, uint16(8*len(e)))
		return binary.BigEndian.AppendUint16(out, uint16(k.pub.N.BitLen())), apdu.OK
	case 0x01:
		return k.modulus(), apdu.OK
	default:
		return e, apdu.OK
	}
}
