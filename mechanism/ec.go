package mechanism

import "crypto"

// ECDSA is a signature on an elliptic curve, PKCS #11 v3.2 §6.3.
// Without a Hash it is CKM_ECDSA and its input is a digest, of which
// the leading bits that fit the order of the curve are signed; with one it is
// CKM_ECDSA_SHA256 and the like and its input is the message.
//
// Signatures are r and s, big endian, each as long as the order of the curve:
// not the ASN.1 form that X.509 and crypto/ecdsa use. [ECDSAToASN1] and
// [ECDSAFromASN1] translate.
type ECDSA struct {
	Hash crypto.Hash
}

// Type is CKM_ECDSA or the type with the hash.
func (m ECDSA) Type() Type {
	if m.Hash == 0 {
		return TypeECDSA
	}
	return rowOf(m.Hash).ecdsa
}

func (m ECDSA) problem() string {
	return when(m.Hash != 0 && !usable(m.Hash), "unknown hash function")
}

func (m ECDSA) hashes() [2]crypto.Hash { return [2]crypto.Hash{m.Hash} }

func (m ECDSA) prehash() (crypto.Hash, Mechanism) { return m.Hash, ECDSA{} }

// EdDSA is a signature on an Edwards curve, CKM_EDDSA, PKCS #11 v3.2 §6.3.
// With Prehash the message is hashed by SHA-512 first (Ed25519ph), and with
// Digested as well the input is that digest. Context is at most 255 bytes.
type EdDSA struct {
	Prehash  bool
	Digested bool
	Context  []byte
}

// Type is CKM_EDDSA.
func (EdDSA) Type() Type { return TypeEdDSA }

func (m EdDSA) problem() string {
	return first(
		when(len(m.Context) > 255, "context longer than 255 bytes"),
		when(m.Digested && !m.Prehash, "a digest is signed with Prehash only"))
}

func (m EdDSA) prehash() (crypto.Hash, Mechanism) {
	if !m.Prehash || m.Digested {
		return 0, nil
	}
	m.Digested = true
	return crypto.SHA512, m
}

// ECDH is key agreement on an elliptic curve, CKM_ECDH1_DERIVE or
// CKM_ECDH1_COFACTOR_DERIVE, PKCS #11 v3.2 §6.3.
//
// Public is the other side's public key: an uncompressed point 04‖X‖Y, or the
// bytes of a Montgomery curve, either as it is or within a DER OCTET STRING.
// KDF makes the key of the shared secret, taking SharedData in; with
// [KDFNull], the zero value, the secret is the key and SharedData is empty.
type ECDH struct {
	Public     []byte
	Cofactor   bool
	KDF        KDF
	SharedData []byte
}

// Type is CKM_ECDH1_DERIVE or CKM_ECDH1_COFACTOR_DERIVE.
func (m ECDH) Type() Type {
	if m.Cofactor {
		return TypeECDH1CofactorDerive
	}
	return TypeECDH1Derive
}

func (m ECDH) problem() string {
	return first(
		when(len(m.Public) == 0, "no public key"),
		when(len(m.Public) > maxPoint, "public key too long"),
		kdfProblem(m.KDF, m.SharedData))
}

func (m ECDH) hashes() [2]crypto.Hash {
	h, _, _ := m.KDF.Hash()
	return [2]crypto.Hash{h}
}

func kdfProblem(kdf KDF, shared []byte) string {
	_, _, hashed := kdf.Hash()
	null := kdf == 0 || kdf == KDFNull
	return first(
		when(!hashed && !null, "unknown key derivation function"),
		when(null && len(shared) != 0, "shared data without a key derivation function"),
		when(len(shared) > maxShared, "shared data too long"))
}

// ECDHAESKeyWrap wraps keys of any length for the owner of a key on an elliptic
// curve, CKM_ECDH_AES_KEY_WRAP, PKCS #11 v3.2 §6.3. The result is a temporary
// public key, an uncompressed point 04‖X‖Y or the bytes of a Montgomery curve,
// followed by the key, wrapped as [AESKeyWrapKWP] does by an AES key of KeyBits
// bits, 128, 192 or 256. KDF makes that key of the shared secret, taking
// SharedData in; with [KDFNull], the zero value, it is the secret's first bytes
// and SharedData is empty.
type ECDHAESKeyWrap struct {
	KeyBits    int
	KDF        KDF
	SharedData []byte
}

// Type is CKM_ECDH_AES_KEY_WRAP.
func (ECDHAESKeyWrap) Type() Type { return TypeECDHAESKeyWrap }

func (m ECDHAESKeyWrap) problem() string {
	return first(keyBitsProblem(m.KeyBits), kdfProblem(m.KDF, m.SharedData))
}

func (m ECDHAESKeyWrap) hashes() [2]crypto.Hash { return ECDH{KDF: m.KDF}.hashes() }

func ecForms() []form {
	list := []form{
		plain(ECDSA{}),
		optional(ShapeEdDSA, EdDSA{}),
		structure(ShapeECDH, ECDH{}),
		structure(ShapeECDH, ECDH{Cofactor: true}),
		structure(ShapeUnknown, ECDHAESKeyWrap{}),
	}
	for _, row := range hashes {
		list = append(list, plain(ECDSA{Hash: row.hash}))
	}
	return list
}
