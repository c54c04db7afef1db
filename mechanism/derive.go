package mechanism

import (
	"crypto"
	"slices"
)

// ConcatenateBaseAndKey makes a secret of the base key followed by another
// key, CKM_CONCATENATE_BASE_AND_KEY, PKCS #11 v3.2 §6.
type ConcatenateBaseAndKey struct{ Key KeyRef }

// Type is CKM_CONCATENATE_BASE_AND_KEY.
func (ConcatenateBaseAndKey) Type() Type { return TypeConcatenateBaseAndKey }

func (m ConcatenateBaseAndKey) problem() string { return when(m.Key == nil, "no second key") }

func (m ConcatenateBaseAndKey) keys() []KeyRef { return []KeyRef{m.Key} }

// ConcatenateBaseAndData makes a secret of the base key followed by data,
// CKM_CONCATENATE_BASE_AND_DATA.
type ConcatenateBaseAndData struct{ Data []byte }

// Type is CKM_CONCATENATE_BASE_AND_DATA.
func (ConcatenateBaseAndData) Type() Type { return TypeConcatenateBaseAndData }

func (m ConcatenateBaseAndData) problem() string { return stringProblem(m.Data) }

// ConcatenateDataAndBase makes a secret of data followed by the base key,
// CKM_CONCATENATE_DATA_AND_BASE.
type ConcatenateDataAndBase struct{ Data []byte }

// Type is CKM_CONCATENATE_DATA_AND_BASE.
func (ConcatenateDataAndBase) Type() Type { return TypeConcatenateDataAndBase }

func (m ConcatenateDataAndBase) problem() string { return stringProblem(m.Data) }

// XORBaseAndData makes a secret of the base key and data combined by XOR, as
// long as the shorter of them, CKM_XOR_BASE_AND_DATA.
type XORBaseAndData struct{ Data []byte }

// Type is CKM_XOR_BASE_AND_DATA.
func (XORBaseAndData) Type() Type { return TypeXORBaseAndData }

func (m XORBaseAndData) problem() string {
	return first(stringProblem(m.Data), when(len(m.Data) == 0, "no data"))
}

func (XORBaseAndData) disclosure() Disclosure { return DisclosesParts }

// ExtractKeyFromKey makes a secret of a part of the base key,
// CKM_EXTRACT_KEY_FROM_KEY. Bit is where it begins: 0 is the most significant
// bit of the first byte. It comes round at the end.
type ExtractKeyFromKey struct{ Bit int }

// Type is CKM_EXTRACT_KEY_FROM_KEY.
func (ExtractKeyFromKey) Type() Type { return TypeExtractKeyFromKey }

func (m ExtractKeyFromKey) problem() string {
	return when(m.Bit < 0 || m.Bit > 8*maxShared, "no such bit")
}

func (ExtractKeyFromKey) disclosure() Disclosure { return DisclosesParts }

// HashDerive makes a secret of the hash of the base key,
// CKM_SHA256_KEY_DERIVATION and the like, PKCS #11 v3.2 §6.
type HashDerive struct{ Hash crypto.Hash }

// Type is CKM_SHA256_KEY_DERIVATION and the like.
func (m HashDerive) Type() Type {
	if t, ok := hashDerivations[m.Hash]; ok {
		return t
	}
	return Unavailable
}

func (m HashDerive) problem() string { return when(!usable(m.Hash), "unknown hash function") }

func (m HashDerive) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

var hashDerivations = map[crypto.Hash]Type{
	crypto.MD5: TypeMD5KeyDerivation, crypto.SHA1: TypeSHA1KeyDerivation, crypto.SHA224: TypeSHA224KeyDerivation,
	crypto.SHA256: TypeSHA256KeyDerivation, crypto.SHA384: TypeSHA384KeyDerivation, crypto.SHA512: TypeSHA512KeyDerivation,
	crypto.SHA512_224: TypeSHA512_224KeyDerivation, crypto.SHA512_256: TypeSHA512_256KeyDerivation,
	crypto.SHA3_224: TypeSHA3_224KeyDerivation, crypto.SHA3_256: TypeSHA3_256KeyDerivation,
	crypto.SHA3_384: TypeSHA3_384KeyDerivation, crypto.SHA3_512: TypeSHA3_512KeyDerivation,
}

// SHAKEDerive makes a secret of any length by SHAKE of the base key,
// CKM_SHAKE_128_KEY_DERIVATION and CKM_SHAKE_256_KEY_DERIVATION. Bits is 128
// or 256.
type SHAKEDerive struct{ Bits int }

// Type is CKM_SHAKE_128_KEY_DERIVATION or CKM_SHAKE_256_KEY_DERIVATION.
func (m SHAKEDerive) Type() Type {
	switch m.Bits {
	case 128:
		return TypeSHAKE128KeyDerivation
	case 256:
		return TypeSHAKE256KeyDerivation
	}
	return Unavailable
}

func (m SHAKEDerive) problem() string {
	return when(m.Type() == Unavailable, "SHAKE is of 128 or 256 bits")
}

// AESECBEncryptData makes a secret of data that the base key encrypts in ECB
// mode, CKM_AES_ECB_ENCRYPT_DATA. Data is a multiple of 16 bytes.
type AESECBEncryptData struct{ Data []byte }

// Type is CKM_AES_ECB_ENCRYPT_DATA.
func (AESECBEncryptData) Type() Type { return TypeAESECBEncryptData }

func (m AESECBEncryptData) problem() string { return blocksProblem(m.Data) }

func (AESECBEncryptData) disclosure() Disclosure { return DisclosesCiphertext }

// AESCBCEncryptData makes a secret of data that the base key encrypts in CBC
// mode, CKM_AES_CBC_ENCRYPT_DATA. Data is a multiple of 16 bytes, IV 16 bytes.
type AESCBCEncryptData struct{ IV, Data []byte }

// Type is CKM_AES_CBC_ENCRYPT_DATA.
func (AESCBCEncryptData) Type() Type { return TypeAESCBCEncryptData }

func (m AESCBCEncryptData) problem() string {
	return first(blocksProblem(m.Data), vectorProblem(m.IV, 16))
}

func (AESCBCEncryptData) disclosure() Disclosure { return DisclosesCiphertext }

// HKDF is the key derivation of RFC 5869, CKM_HKDF_DERIVE, PKCS #11 v3.2
// §6: Extract, Expand or both. The salt is Salt, or the value of SaltKey,
// or none. Without Expand the key is as long as the hash. With ToData the
// result is a data object and no key, CKM_HKDF_DATA.
type HKDF struct {
	Hash            crypto.Hash
	Extract, Expand bool
	Salt            []byte
	SaltKey         KeyRef
	Info            []byte
	ToData          bool
}

// Type is CKM_HKDF_DERIVE or CKM_HKDF_DATA.
func (m HKDF) Type() Type {
	if m.ToData {
		return TypeHKDFData
	}
	return TypeHKDFDerive
}

func (m HKDF) problem() string {
	return first(
		when(!usable(m.Hash), "unknown hash function"),
		when(!m.Extract && !m.Expand, "neither extract nor expand"),
		when(len(m.Salt) > 0 && m.SaltKey != nil, "two salts"),
		when(!m.Extract && (len(m.Salt) > 0 || m.SaltKey != nil), "a salt is for extract"),
		when(!m.Expand && len(m.Info) > 0, "info is for expand"),
		when(len(m.Salt) > maxShared || len(m.Info) > maxShared, "salt or info too long"))
}

func (m HKDF) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

func (m HKDF) disclosure() Disclosure {
	if m.ToData {
		return DisclosesData
	}
	return DisclosesNothing
}

func (m HKDF) keys() []KeyRef {
	if m.SaltKey == nil {
		return nil
	}
	return []KeyRef{m.SaltKey}
}

// HKDFKeyGen generates base keys for [HKDF] of CKA_VALUE_LEN bytes,
// CKM_HKDF_KEY_GEN.
type HKDFKeyGen struct{}

// Type is CKM_HKDF_KEY_GEN.
func (HKDFKeyGen) Type() Type { return TypeHKDFKeyGen }

// PBKDF2 makes a key of a password as RFC 8018 does, CKM_PKCS5_PBKD2, PKCS
// #11 v3.2 §6. It generates a key: there is no base key. The password is
// the caller's to clear.
type PBKDF2 struct {
	Hash       crypto.Hash
	Password   []byte
	Salt       []byte
	Iterations int
}

// Type is CKM_PKCS5_PBKD2.
func (PBKDF2) Type() Type { return TypePKCS5PBKD2 }

func (m PBKDF2) problem() string {
	return first(
		when(!usable(m.Hash) || !slices.Contains(pbkdf2Hashes, m.Hash), "unknown hash function"),
		when(m.Iterations < 1 || m.Iterations > maxIterations, "iterations out of range"),
		when(len(m.Salt) == 0, "no salt"),
		when(len(m.Salt) > maxShared || len(m.Password) > maxShared, "salt or password too long"))
}

func (m PBKDF2) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

// maxIterations bounds the time of PBKDF2; it is some seconds.
const maxIterations = 10_000_000

// pbkdf2Hashes are the hash functions that CKM_PKCS5_PBKD2 can name.
var pbkdf2Hashes = []crypto.Hash{
	crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256,
}

func stringProblem(data []byte) string { return when(len(data) > maxShared, "data too long") }

func blocksProblem(data []byte) string {
	return first(stringProblem(data), when(len(data) == 0 || len(data)%16 != 0, "the data is no whole blocks"))
}

func deriveForms() []form {
	list := []form{
		numberOf(TypeExtractKeyFromKey, 0, func(n int) Mechanism { return ExtractKeyFromKey{Bit: n} }),
		plain(SHAKEDerive{Bits: 128}), plain(SHAKEDerive{Bits: 256}),
		plain(HKDFKeyGen{}),
	}
	for h := range hashDerivations {
		list = append(list, plain(HashDerive{h}))
	}
	return list
}
