package rsapad

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// PSS returns the block of EMSA-PSS for a digest, RFC 8017 §9.1.1, with a
// random salt of the given length in bytes, for a modulus of the given length
// in bits. The block is as long as the modulus, so that a raw RSA operation
// can take it. It returns ckr.DataLenRange for a digest that is not of the
// length of its hash function, ckr.MechanismParamInvalid for a negative salt
// length, ckr.KeySizeRange if the modulus is too short for digest and salt,
// and ckr.MechanismInvalid for a hash function that is not to be had.
func PSS(h, mgf crypto.Hash, salt int, digest []byte, bits int) ([]byte, error) {
	if err := checkPSS(h, mgf, salt, digest, bits); err != nil {
		return nil, err
	}
	s := make([]byte, salt)
	rand.Read(s)
	return encodePSS(h, mgf, s, digest, bits), nil
}

func checkPSS(h, mgf crypto.Hash, salt int, digest []byte, bits int) error {
	if err := permitted(h, mgf); err != nil {
		return err
	}
	switch {
	case len(digest) != h.Size():
		return ckr.Newf(ckr.DataLenRange, "PSS", "a digest of %d bytes, want %d", len(digest), h.Size())
	case salt < 0:
		return ckr.Newf(ckr.MechanismParamInvalid, "PSS", "a salt of %d bytes", salt)
	case salt > (bits+6)/8-h.Size()-2:
		return ckr.Newf(ckr.KeySizeRange, "PSS", "a modulus of %d bits is too short", bits)
	}
	return nil
}

// encodePSS is EMSA-PSS-ENCODE with its sizes checked.
func encodePSS(h, mgf crypto.Hash, salt, digest []byte, bits int) []byte {
	size := (bits + 7) / 8
	block := make([]byte, size)
	em := block[size-(bits+6)/8:] // a byte less if the modulus begins with a byte of 1
	db, tail := em[:len(em)-h.Size()-1], em[len(em)-h.Size()-1:]
	hash := saltedHash(h, digest, salt)
	db[len(db)-len(salt)-1] = 1
	copy(db[len(db)-len(salt):], salt)
	xorMask(db, mgf.New(), hash)
	em[0] &= topMask(bits)
	copy(tail, hash)
	em[len(em)-1] = 0xbc
	return block
}

// topMask has the bits of the first byte of an encoded message that a modulus
// of some bits leaves.
func topMask(bits int) byte { return 0xff >> (8*((bits+6)/8) - (bits - 1)) }

func saltedHash(h crypto.Hash, digest, salt []byte) []byte {
	sum := h.New()
	sum.Write(make([]byte, 8))
	sum.Write(digest)
	sum.Write(salt)
	return sum.Sum(nil)
}

// VerifyPSS checks the block that comes out of a public key, RFC 8017
// §9.1.2, as long as the modulus of the given length in bits. It returns
// ckr.SignatureInvalid if the block is not of the digest, and otherwise what
// [PSS] returns.
func VerifyPSS(h, mgf crypto.Hash, salt int, digest, block []byte, bits int) error {
	if err := checkPSS(h, mgf, salt, digest, bits); err != nil {
		return err
	}
	if len(block) != (bits+7)/8 {
		return ckr.New(ckr.SignatureInvalid, "PSS", nil)
	}
	size := (bits + 6) / 8
	lead, em := block[:len(block)-size], bytes.Clone(block[len(block)-size:])
	db, hash := em[:size-h.Size()-1], em[size-h.Size()-1:size-1]
	if len(lead) == 1 && lead[0] != 0 || em[size-1] != 0xbc || em[0]&^topMask(bits) != 0 {
		return ckr.New(ckr.SignatureInvalid, "PSS", nil)
	}
	xorMask(db, mgf.New(), hash)
	db[0] &= topMask(bits)
	padding := db[:len(db)-salt]
	zeros := bytes.Count(padding[:len(padding)-1], []byte{0}) == len(padding)-1
	want := saltedHash(h, digest, db[len(db)-salt:])
	if !zeros || padding[len(padding)-1] != 1 || subtle.ConstantTimeCompare(want, hash) != 1 {
		return ckr.New(ckr.SignatureInvalid, "PSS", nil)
	}
	return nil
}
