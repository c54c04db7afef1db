package mechanism

import "crypto"

// NoSalt asks [RSAPSS] for an empty salt.
const NoSalt = -1

// RSAPKCS is RSA with the padding of PKCS #1 v1.5, PKCS #11 v3.2 §6.1:
// for signatures, and without a Hash for encryption.
//
// Without a Hash it is CKM_RSA_PKCS: the input of a signature is a DigestInfo,
// or any bytes, at most 11 bytes shorter than the modulus. With a Hash it is
// CKM_SHA256_RSA_PKCS and the like, and its input is the message. If Digested
// is set, the input is the digest under Hash already, which becomes a
// DigestInfo; the type is CKM_RSA_PKCS again, for that is what a token sees.
//
// For decryption, SessionKeyLen is the length in bytes that the content must
// have, if it is not 0: then a wrong padding, or another length, gives a random
// key of that length instead of an error, and takes the same time, as RFC 5246
// §7.4.7.1 has it against Bleichenbacher's attack.
type RSAPKCS struct {
	Hash          crypto.Hash
	Digested      bool
	SessionKeyLen int
}

// Type is CKM_RSA_PKCS or the type with the hash.
func (m RSAPKCS) Type() Type {
	if m.Hash == 0 || m.Digested {
		return TypeRSAPKCS
	}
	return rowOf(m.Hash).rsaPKCS
}

func (m RSAPKCS) problem() string {
	return first(
		when(m.Hash != 0 && !usable(m.Hash), "unknown hash function"),
		when(m.SessionKeyLen < 0, "negative length"))
}

func (m RSAPKCS) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

func (m RSAPKCS) prehash() (crypto.Hash, Mechanism) {
	if m.Hash == 0 || m.Digested {
		return 0, nil
	}
	return m.Hash, RSAPKCS{Hash: m.Hash, Digested: true}
}

// RSAX509 is RSA without padding, CKM_RSA_X_509, PKCS #11 v3.2 §6.1. Input
// and output are big endian and as long as the modulus; shorter input is
// extended by leading zeros.
type RSAX509 struct{}

// Type is CKM_RSA_X_509.
func (RSAX509) Type() Type { return TypeRSAX509 }

// RSAPSS is a signature of PKCS #1 PSS, PKCS #11 v3.2 §6.1. MGF is the
// hash function of MGF1; 0 means Hash. Salt is the length of the salt in
// bytes; 0 means as long as the hash, [NoSalt] an empty one.
//
// If Digested is set, the input is the digest under Hash and the mechanism is
// CKM_RSA_PKCS_PSS; otherwise the input is the message and the mechanism
// CKM_SHA256_RSA_PKCS_PSS and the like.
type RSAPSS struct {
	Hash, MGF crypto.Hash
	Salt      int
	Digested  bool
}

// Type is CKM_RSA_PKCS_PSS or the type with the hash.
func (m RSAPSS) Type() Type {
	if m.Digested {
		return TypeRSAPKCSPSS
	}
	return rowOf(m.Hash).rsaPSS
}

func (m RSAPSS) problem() string {
	return first(
		when(!usable(m.Hash) || !usable(m.MGFHash()), "unknown hash function"),
		when(m.Salt < NoSalt || m.Salt > maxSalt, "salt length out of range"))
}

func (m RSAPSS) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash, m.MGFHash()} }

func (m RSAPSS) prehash() (crypto.Hash, Mechanism) {
	if m.Digested {
		return 0, nil
	}
	m.Digested = true
	return m.Hash, m
}

// SaltLength returns the length of the salt in bytes.
func (m RSAPSS) SaltLength() int {
	switch {
	case m.Salt == NoSalt:
		return 0
	case m.Salt != 0:
		return m.Salt
	case usable(m.Hash):
		return m.Hash.Size()
	}
	return 0
}

// MGFHash returns the hash function of MGF1.
func (m RSAPSS) MGFHash() crypto.Hash {
	if m.MGF == 0 {
		return m.Hash
	}
	return m.MGF
}

// RSAOAEP is encryption by PKCS #1 OAEP, CKM_RSA_PKCS_OAEP, PKCS #11 v3.2
// §6.1. MGF is the hash function of MGF1; 0 means Hash. Label is the
// encoding parameter, usually empty.
type RSAOAEP struct {
	Hash, MGF crypto.Hash
	Label     []byte
}

// Type is CKM_RSA_PKCS_OAEP.
func (RSAOAEP) Type() Type { return TypeRSAPKCSOAEP }

func (m RSAOAEP) problem() string {
	return first(
		when(!usable(m.Hash) || !usable(m.MGFHash()), "unknown hash function"),
		when(len(m.Label) > maxShared, "label too long"))
}

func (m RSAOAEP) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash, m.MGFHash()} }

// MGFHash returns the hash function of MGF1.
func (m RSAOAEP) MGFHash() crypto.Hash {
	if m.MGF == 0 {
		return m.Hash
	}
	return m.MGF
}

// RSAAESKeyWrap wraps keys of any length for the owner of an RSA key,
// CKM_RSA_AES_KEY_WRAP, PKCS #11 v3.2 §6.1. The result is a temporary AES key of
// KeyBits bits, 128, 192 or 256, encrypted by OAEP, followed by the key, wrapped
// by that one as [AESKeyWrapKWP] does.
type RSAAESKeyWrap struct {
	KeyBits int
	OAEP    RSAOAEP
}

// Type is CKM_RSA_AES_KEY_WRAP.
func (RSAAESKeyWrap) Type() Type { return TypeRSAAESKeyWrap }

func (m RSAAESKeyWrap) problem() string {
	return first(keyBitsProblem(m.KeyBits), m.OAEP.problem())
}

func (m RSAAESKeyWrap) hashes() [2]crypto.Hash { return m.OAEP.hashes() }

// keyBitsProblem says what is wrong with the size of a temporary AES key.
func keyBitsProblem(bits int) string {
	return when(bits != 128 && bits != 192 && bits != 256, "AES keys have 128, 192 or 256 bits")
}

func rsaForms() []form {
	list := []form{
		plain(RSAPKCS{}), plain(RSAX509{}),
		structure(ShapePSS, RSAPSS{Digested: true}),
		structure(ShapeOAEP, RSAOAEP{}),
		structure(ShapeUnknown, RSAAESKeyWrap{}),
	}
	for _, row := range hashes {
		list = append(list,
			plain(RSAPKCS{Hash: row.hash}),
			optional(ShapePSS, RSAPSS{Hash: row.hash})) // the type implies the parameter
	}
	return list
}
