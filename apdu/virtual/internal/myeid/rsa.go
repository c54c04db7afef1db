package myeid

import (
	"crypto/rsa"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/rawrsa"
)

// sha1Prefix is the DigestInfo of SHA-1 up to the digest (RFC 8017 §9.2).
const sha1Prefix = "\x30\x21\x30\x09\x06\x05\x2B\x0E\x03\x02\x1A\x05\x00\x04\x14"

func signRSA(k *key, alg byte, data []byte) ([]byte, apdu.Status) {
	switch alg {
	case algRaw:
		return rawRSA(k, data)
	case algPKCS1:
		return signPKCS1(k, data)
	case algSHA1:
		if len(data) != 20 {
			return nil, apdu.SWWrongLength
		}
		return signPKCS1(k, append([]byte(sha1Prefix), data...))
	}
	return nil, apdu.SWConditionsNotSatisfied
}

func signPKCS1(k *key, digestInfo []byte) ([]byte, apdu.Status) {
	if len(digestInfo)+11 > k.rsa.Size() {
		return nil, apdu.SWWrongLength
	}
	out, err := rsa.SignPKCS1v15(nil, k.rsa, 0, digestInfo)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	return out, apdu.OK
}

// decryptRSA deciphers with or without taking PKCS #1 padding off.
func (c *Card) decryptRSA(f *file, m *command) ([]byte, apdu.Status) {
	k := &f.key
	if k.rsa == nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	switch c.env.alg {
	case algRaw:
		return rawRSA(k, m.Data)
	case algPKCS1:
		return decryptPKCS1(k, m.Data)
	}
	return nil, apdu.SWConditionsNotSatisfied
}

func decryptPKCS1(k *key, cryptogram []byte) ([]byte, apdu.Status) {
	if len(cryptogram) != k.rsa.Size() {
		return nil, apdu.SWWrongLength
	}
	out, err := rsa.DecryptPKCS1v15(nil, k.rsa, cryptogram)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	return out, apdu.OK
}

// rawRSA is the private-key operation on one block of the modulus' length.
func rawRSA(k *key, block []byte) ([]byte, apdu.Status) {
	if len(block) != k.rsa.Size() {
		return nil, apdu.SWWrongLength
	}
	out, err := rawrsa.Apply(k.rsa, block)
	switch {
	case errors.Is(err, rawrsa.ErrRange):
		return nil, apdu.SWWrongData
	case err != nil:
		return nil, apdu.SWNoDiagnosis
	}
	return out, apdu.OK
}
