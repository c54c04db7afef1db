package mechanism

import (
	"bytes"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// maxOrder is the longest order of a curve in bytes that is understood here,
// that of P-521 and some to spare.
const maxOrder = 128

// Tags of DER.
const (
	derInteger  = 0x02
	derSequence = 0x30
)

// ECDSAToASN1 turns a signature as PKCS #11 has it, r and s of equal length,
// into the DER form of X.509 and crypto/ecdsa (RFC 3279 §2.2.3). It returns
// ckr.SignatureLenRange if raw is empty, of odd length or too long.
func ECDSAToASN1(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 || len(raw) > 2*maxOrder {
		return nil, ckr.Newf(ckr.SignatureLenRange, "ECDSA signature", "%d bytes", len(raw))
	}
	half := len(raw) / 2
	r, s := number(raw[:half]), number(raw[half:])
	n := r.size() + s.size()
	der := make([]byte, 0, 3+n)
	der = append(der, derSequence)
	if n >= 0x80 {
		der = append(der, 0x81)
		if n > 0xFF {
			der[1] = 0x82
			der = append(der, byte(n>>8))
		}
	}
	der = append(der, byte(n))
	return s.append(r.append(der)), nil
}

// number is an unsigned number, big endian.
type number []byte

// minimal returns the number without leading zeros, and whether DER puts one
// before it.
func (n number) minimal() (b []byte, zero bool) {
	b = bytes.TrimLeft(n, "\x00")
	return b, len(b) == 0 || b[0]&0x80 != 0
}

// size is the length of the INTEGER. Numbers of maxOrder bytes may need a
// length of two bytes.
func (n number) size() int {
	b, zero := n.minimal()
	size := len(b)
	if zero {
		size++
	}
	if size >= 0x80 {
		return 3 + size
	}
	return 2 + size
}

func (n number) append(der []byte) []byte {
	b, zero := n.minimal()
	size := len(b)
	if zero {
		size++
	}
	der = append(der, derInteger)
	if size >= 0x80 {
		der = append(der, 0x81)
	}
	der = append(der, byte(size))
	if zero {
		der = append(der, 0)
	}
	return append(der, b...)
}

// ECDSAFromASN1 turns a signature in DER into r and s, each of size bytes,
// where size is the length of the curve's order: 32 for P-256, 66 for P-521.
// It returns ckr.SignatureInvalid if der is no signature or its numbers are
// negative or longer than size.
func ECDSAFromASN1(der []byte, size int) ([]byte, error) {
	if size <= 0 || size > maxOrder {
		return nil, malformed
	}
	body, rest, ok := element(der, derSequence)
	if !ok || len(rest) != 0 {
		return nil, malformed
	}
	r, body, ok1 := element(body, derInteger)
	s, body, ok2 := element(body, derInteger)
	if !ok1 || !ok2 || len(body) != 0 {
		return nil, malformed
	}
	raw := make([]byte, 2*size)
	if !fill(raw[:size], r) || !fill(raw[size:], s) {
		return nil, malformed
	}
	return raw, nil
}

var malformed = ckr.Newf(ckr.SignatureInvalid, "ECDSA signature", "not two numbers of the curve in DER")

// element reads one element with a tag; the length is as short as it can be.
func element(der []byte, tag byte) (value, rest []byte, ok bool) {
	if len(der) < 2 || der[0] != tag {
		return nil, nil, false
	}
	n, head := int(der[1]), 2
	switch {
	case n < 0x80:
	case n == 0x81 && len(der) >= 3 && der[2] >= 0x80:
		n, head = int(der[2]), 3
	case n == 0x82 && len(der) >= 4 && der[2] != 0:
		n, head = int(der[2])<<8|int(der[3]), 4
	default:
		return nil, nil, false
	}
	if n > len(der)-head {
		return nil, nil, false
	}
	return der[head : head+n], der[head+n:], true
}

// fill writes the value of an INTEGER, which is not negative and as short as
// it can be, at the end of out.
func fill(out, v []byte) bool {
	switch {
	case len(v) == 0 || v[0]&0x80 != 0:
		return false
	case v[0] == 0 && len(v) > 1:
		if v[1]&0x80 == 0 {
			return false
		}
		v = v[1:]
	}
	if len(v) > len(out) {
		return false
	}
	copy(out[len(out)-len(v):], v)
	return true
}
