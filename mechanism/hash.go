package mechanism

import (
	"crypto"
	"crypto/fips140"
	_ "crypto/md5"    // links the hash functions that mechanisms name
	_ "crypto/sha1"   // likewise
	_ "crypto/sha256" // likewise
	_ "crypto/sha3"   // likewise
	_ "crypto/sha512" // likewise
)

// hashRow has the mechanism types that are made of one hash function.
type hashRow struct {
	hash                   crypto.Hash
	digest, hmac, general  Type
	rsaPKCS, rsaPSS, ecdsa Type
	mgf                    MGF
	kdf, kdfSP800          KDF
}

const none = Unavailable

var hashes = []hashRow{
	{crypto.SHA256, TypeSHA256, TypeSHA256HMAC, TypeSHA256HMACGeneral, TypeSHA256RSAPKCS, TypeSHA256RSAPKCSPSS, TypeECDSASHA256, MGF1SHA256, KDFSHA256, KDFSHA256SP800},
	{crypto.SHA384, TypeSHA384, TypeSHA384HMAC, TypeSHA384HMACGeneral, TypeSHA384RSAPKCS, TypeSHA384RSAPKCSPSS, TypeECDSASHA384, MGF1SHA384, KDFSHA384, KDFSHA384SP800},
	{crypto.SHA512, TypeSHA512, TypeSHA512HMAC, TypeSHA512HMACGeneral, TypeSHA512RSAPKCS, TypeSHA512RSAPKCSPSS, TypeECDSASHA512, MGF1SHA512, KDFSHA512, KDFSHA512SP800},
	{crypto.SHA1, TypeSHA1, TypeSHA1HMAC, TypeSHA1HMACGeneral, TypeSHA1RSAPKCS, TypeSHA1RSAPKCSPSS, TypeECDSASHA1, MGF1SHA1, KDFSHA1, KDFSHA1SP800},
	{crypto.SHA224, TypeSHA224, TypeSHA224HMAC, TypeSHA224HMACGeneral, TypeSHA224RSAPKCS, TypeSHA224RSAPKCSPSS, TypeECDSASHA224, MGF1SHA224, KDFSHA224, KDFSHA224SP800},
	{crypto.SHA512_224, TypeSHA512_224, TypeSHA512_224HMAC, TypeSHA512_224HMACGeneral, none, none, none, 0, 0, 0},
	{crypto.SHA512_256, TypeSHA512_256, TypeSHA512_256HMAC, TypeSHA512_256HMACGeneral, none, none, none, 0, 0, 0},
	{crypto.SHA3_224, TypeSHA3_224, TypeSHA3_224HMAC, TypeSHA3_224HMACGeneral, TypeSHA3_224RSAPKCS, TypeSHA3_224RSAPKCSPSS, TypeECDSASHA3_224, MGF1SHA3_224, KDFSHA3_224, KDFSHA3_224SP800},
	{crypto.SHA3_256, TypeSHA3_256, TypeSHA3_256HMAC, TypeSHA3_256HMACGeneral, TypeSHA3_256RSAPKCS, TypeSHA3_256RSAPKCSPSS, TypeECDSASHA3_256, MGF1SHA3_256, KDFSHA3_256, KDFSHA3_256SP800},
	{crypto.SHA3_384, TypeSHA3_384, TypeSHA3_384HMAC, TypeSHA3_384HMACGeneral, TypeSHA3_384RSAPKCS, TypeSHA3_384RSAPKCSPSS, TypeECDSASHA3_384, MGF1SHA3_384, KDFSHA3_384, KDFSHA3_384SP800},
	{crypto.SHA3_512, TypeSHA3_512, TypeSHA3_512HMAC, TypeSHA3_512HMACGeneral, TypeSHA3_512RSAPKCS, TypeSHA3_512RSAPKCSPSS, TypeECDSASHA3_512, MGF1SHA3_512, KDFSHA3_512, KDFSHA3_512SP800},
	{crypto.MD5, TypeMD5, TypeMD5HMAC, TypeMD5HMACGeneral, TypeMD5RSAPKCS, none, none, 0, 0, 0},
}

// noHash is the row of a hash function that no mechanism is made of.
var noHash = hashRow{digest: none, hmac: none, general: none, rsaPKCS: none, rsaPSS: none, ecdsa: none}

func rowOf(h crypto.Hash) *hashRow {
	if int(h) < len(rowIndex) && rowIndex[h] > 0 {
		return &hashes[rowIndex[h]-1]
	}
	return &noHash
}

// rowIndex has the place of each hash function in hashes, from 1.
var rowIndex = func() (index [32]uint8) {
	for i, row := range hashes {
		index[row.hash] = uint8(i + 1)
	}
	return index
}()

// Permitted reports whether a hash function may be computed here: a mechanism
// can name it, and the program's FIPS 140 mode (GODEBUG=fips140=only) does not
// forbid it. Others would panic in the standard library.
func Permitted(h crypto.Hash) bool {
	return usable(h) && (!fips140.Enforced() || h != crypto.SHA1 && h != crypto.MD5)
}

// HashOf returns the hash function that a digest mechanism computes: for
// CKM_SHA256, SHA-256. It serves those who read the parameters of PSS and
// OAEP, which name hash functions so.
func HashOf(digest Type) (crypto.Hash, bool) {
	for _, row := range hashes {
		if row.digest == digest {
			return row.hash, true
		}
	}
	return 0, false
}

// MGF is a mask generation function, a CK_RSA_PKCS_MGF_TYPE.
type MGF uint64

// Hash returns the hash function of the mask generation function.
func (g MGF) Hash() (crypto.Hash, bool) {
	for _, row := range hashes {
		if g != 0 && row.mgf == g {
			return row.hash, true
		}
	}
	return 0, false
}

// MGFOf returns the mask generation function MGF1 with a hash function.
func MGFOf(h crypto.Hash) (MGF, bool) {
	g := rowOf(h).mgf
	return g, g != 0
}

// KDF is a key derivation function that follows a key agreement, a
// CK_EC_KDF_TYPE. The zero value means [KDFNull].
type KDF uint64

// Hash returns the hash function of a key derivation function that turns a
// shared secret of an elliptic curve into a key, and whether it counts before
// the secret as SP 800-56A has it (sp800) or after it as ANSI X9.63 has it.
// ok is false for [KDFNull] and for functions of other kinds.
func (k KDF) Hash() (h crypto.Hash, sp800, ok bool) {
	for _, row := range hashes {
		switch {
		case k == 0:
		case row.kdf == k:
			return row.hash, false, true
		case row.kdfSP800 == k:
			return row.hash, true, true
		}
	}
	return 0, false, false
}
