package mechanism

import "crypto"

// Digest is a hash function as a mechanism, such as CKM_SHA256.
type Digest struct {
	Hash crypto.Hash
}

// Type is CKM_SHA256 and the like.
func (m Digest) Type() Type { return rowOf(m.Hash).digest }

// HMAC is a message authentication code by HMAC, such as CKM_SHA256_HMAC.
// Length is that of the code in bytes, at least 4; 0 means that of the hash.
// With a Length the type is CKM_SHA256_HMAC_GENERAL and the like.
type HMAC struct {
	Hash   crypto.Hash
	Length int
}

// Type is CKM_SHA256_HMAC, CKM_SHA256_HMAC_GENERAL and the like.
func (m HMAC) Type() Type {
	if m.Length == 0 {
		return rowOf(m.Hash).hmac
	}
	return rowOf(m.Hash).general
}
