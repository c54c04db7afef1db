package rsapad

import (
	"crypto"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// prefixes has the DER of DigestInfo up to the digest, RFC 8017 §9.2 note 1
// and, for SHA-3, the identifiers of FIPS 202: the hash functions that
// crypto/rsa signs with. What TLS 1.0 and 1.1 sign, MD5 and SHA-1 one after the
// other, has no DigestInfo (RFC 4346 §7.4.3).
var prefixes = map[crypto.Hash][]byte{
	crypto.MD5:        {0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05, 0x05, 0x00, 0x04, 0x10},
	crypto.SHA1:       {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
	crypto.SHA256:     nist(1, 32),
	crypto.SHA384:     nist(2, 48),
	crypto.SHA512:     nist(3, 64),
	crypto.SHA224:     nist(4, 28),
	crypto.SHA512_224: nist(5, 28),
	crypto.SHA512_256: nist(6, 32),
	crypto.SHA3_224:   nist(7, 28),
	crypto.SHA3_256:   nist(8, 32),
	crypto.SHA3_384:   nist(9, 48),
	crypto.SHA3_512:   nist(10, 64),
	crypto.RIPEMD160:  {0x30, 0x20, 0x30, 0x08, 0x06, 0x06, 0x28, 0xcf, 0x06, 0x03, 0x00, 0x31, 0x04, 0x14},
	crypto.MD5SHA1:    {},
}

// nist is the prefix of a hash function whose identifier ends in arc, under
// 2.16.840.1.101.3.4.2.
func nist(arc, size byte) []byte {
	return []byte{0x30, 17 + size, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00, 0x04, size}
}

// DigestInfo returns the DER of DigestInfo, the input of CKM_RSA_PKCS for a
// digest; for crypto.MD5SHA1 that is the digest itself. The hash function need
// not be linked into the program. It returns ckr.MechanismParamInvalid for a
// hash function that crypto/rsa does not sign with, and ckr.DataLenRange for a
// digest that is not of its length.
func DigestInfo(h crypto.Hash, digest []byte) ([]byte, error) {
	prefix, ok := prefixes[h]
	if !ok {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "DigestInfo", "PKCS #1 v1.5 has no identifier for hash function %d", h)
	}
	if size := h.Size(); len(digest) != size {
		return nil, ckr.Newf(ckr.DataLenRange, "DigestInfo", "a digest of %d bytes, want %d", len(digest), size)
	}
	out := make([]byte, 0, len(prefix)+len(digest))
	return append(append(out, prefix...), digest...), nil
}
