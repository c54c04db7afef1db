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
