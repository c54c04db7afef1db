package myeid

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"math/big"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// signECDSA signs a hash that stands for a whole number of at most the
// field's length, and answers r and s in DER.
//
// FIPS 186 would cut a longer hash to the leftmost bits of the order's
// length, which for P-521 and 66 bytes shifts by seven bits. The card takes
// the number as it is, so the bytes are brought into a form that crypto/ecdsa
// reads as the same number.
func signECDSA(k *key, hash []byte) ([]byte, apdu.Status) {
	n := k.ec.Curve.Params().N
	size := (n.BitLen() + 7) / 8
	if len(hash) > size {
		return nil, apdu.SWWrongLength
	}
	if excess := 8*size - n.BitLen(); excess > 0 {
		hash = bytes.TrimLeft(hash, "\x00")
		if len(hash) == size {
			e := new(big.Int).SetBytes(hash)
			e.Mod(e, n).Lsh(e, uint(excess))
			hash = e.FillBytes(make([]byte, size))
		}
	}
	out, err := ecdsa.SignASN1(rand.Reader, k.ec, hash)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	return out, apdu.OK
}

// generalAuthenticate is the key agreement: 7C { 85 point } gives the x
// coordinate of the product.
func (c *Card) generalAuthenticate(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	f, sw := c.env.ready(forAgreement)
	if sw != apdu.OK {
		return nil, sw
	}
	point, ok := authenticationPoint(m.Data)
	if !ok {
		return nil, apdu.SWReferenceNotUsable
	}
	m.Data = point
	return c.use(f, m, c.agree)
}

func (c *Card) agree(f *file, m *command) ([]byte, apdu.Status) {
	if f.key.dh == nil || c.env.alg != algEC {
		return nil, apdu.SWConditionsNotSatisfied
	}
	size := (f.key.ec.Curve.Params().BitSize + 7) / 8
	if len(m.Data) != 1+2*size || m.Data[0] != 0x04 {
		return nil, apdu.SWReferenceNotUsable
	}
	peer, err := f.key.dh.Curve().NewPublicKey(m.Data)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	out, err := f.key.dh.ECDH(peer)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	return out, apdu.OK
}

// authenticationPoint reads the dynamic authentication template 7C for its
// object 85; 80 may stand before it.
func authenticationPoint(data []byte) ([]byte, bool) {
	template, rest, ok := longTLV(data, 0x7C)
	if !ok || len(rest) != 0 {
		return nil, false
	}
	if len(template) > 0 && template[0] == 0x80 {
		if _, template, ok = longTLV(template, 0x80); !ok {
			return nil, false
		}
	}
	point, rest, ok := longTLV(template, 0x85)
	return point, ok && len(rest) == 0
}

// longTLV takes one object of a given tag with up to 255 bytes off b.
func longTLV(b []byte, tag byte) (value, rest []byte, ok bool) {
	if len(b) < 2 || b[0] != tag {
		return nil, nil, false
	}
	n, b := int(b[1]), b[2:]
	if n == 0x81 && len(b) > 0 {
		n, b = int(b[0]), b[1:]
	} else if n > 0x7F {
		return nil, nil, false
	}
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
