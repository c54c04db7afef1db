package mechanism

import "crypto"

// Digest is a hash function as a mechanism, such as CKM_SHA256.
type Digest struct {
	Hash crypto.Hash
}

// Type is CKM_SHA256 and the like.
func (m Digest) Type() Type { return rowOf(m.Hash).digest }

func (m Digest) problem() string { return when(!usable(m.Hash), "unknown hash function") }

func (m Digest) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

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

func (m HMAC) problem() string {
	if !usable(m.Hash) {
		return "unknown hash function"
	}
	return when(m.Length != 0 && (m.Length < minMAC || m.Length > m.Hash.Size()), "length not within 4 bytes and that of the hash")
}

func (m HMAC) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

func (m HMAC) pseudorandom() bool { return m.Length == 0 && usable(m.Hash) }

// HMACKeyGen generates keys for [HMAC] with one hash function of CKA_VALUE_LEN
// bytes, CKM_SHA512_256_KEY_GEN and the like.
type HMACKeyGen struct{ Hash crypto.Hash }

// Type is CKM_SHA512_256_KEY_GEN and the like.
func (m HMACKeyGen) Type() Type {
	if t, ok := hmacKeyGens[m.Hash]; ok {
		return t
	}
	return Unavailable
}

func (m HMACKeyGen) problem() string { return when(!usable(m.Hash), "unknown hash function") }

var hmacKeyGens = map[crypto.Hash]Type{
	crypto.SHA1: TypeSHA1KeyGen, crypto.SHA224: TypeSHA224KeyGen, crypto.SHA256: TypeSHA256KeyGen,
	crypto.SHA384: TypeSHA384KeyGen, crypto.SHA512: TypeSHA512KeyGen,
	crypto.SHA512_224: TypeSHA512_224KeyGen, crypto.SHA512_256: TypeSHA512_256KeyGen,
	crypto.SHA3_224: TypeSHA3_224KeyGen, crypto.SHA3_256: TypeSHA3_256KeyGen,
	crypto.SHA3_384: TypeSHA3_384KeyGen, crypto.SHA3_512: TypeSHA3_512KeyGen,
}

func digestForms() (list []form) {
	for _, row := range hashes {
		list = append(list,
			plain(Digest{Hash: row.hash}),
			plain(HMACKeyGen{Hash: row.hash}),
			plain(HMAC{Hash: row.hash}),
			numberOf(row.general, 1, func(n int) Mechanism { return HMAC{Hash: row.hash, Length: n} }))
	}
	return list
}
