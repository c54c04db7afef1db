package piv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
)

// Algorithm is an algorithm identifier of SP 800-78-5 table 11, or of Yubico.
type Algorithm byte

// The algorithms.
const (
	TDES0   Algorithm = 0x00 // the same as TDES
	TDES    Algorithm = 0x03
	RSA3072 Algorithm = 0x05
	RSA1024 Algorithm = 0x06
	RSA2048 Algorithm = 0x07
	AES128  Algorithm = 0x08
	AES192  Algorithm = 0x0A
	AES256  Algorithm = 0x0C
	P256    Algorithm = 0x11
	P384    Algorithm = 0x14
	RSA4096 Algorithm = 0x16
	Ed25519 Algorithm = 0xE0
	X25519  Algorithm = 0xE1
)

// rsaBits is the length of an RSA modulus, or 0.
func (a Algorithm) rsaBits() int {
	switch a {
	case RSA1024:
		return 1024
	case RSA2048:
		return 2048
	case RSA3072:
		return 3072
	case RSA4096:
		return 4096
	}
	return 0
}

// plain makes one of the two names of triple DES.
func (a Algorithm) plain() Algorithm {
	if a == TDES0 {
		return TDES
	}
	return a
}

// keyLength is the length of a management key, or 0.
func (a Algorithm) keyLength() int {
	switch a.plain() {
	case TDES, AES192:
		return 24
	case AES128:
		return 16
	case AES256:
		return 32
	}
	return 0
}

// block makes the cipher of a management key.
func (a Algorithm) block(key []byte) (cipher.Block, bool) {
	if len(key) != a.keyLength() || len(key) == 0 {
		return nil, false
	}
	var b cipher.Block
	var err error
	if a.plain() == TDES {
		b, err = des.NewTripleDESCipher(key)
	} else {
		b, err = aes.NewCipher(key)
	}
	return b, err == nil
}
