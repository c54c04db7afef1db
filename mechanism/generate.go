package mechanism

// RSAKeyPairGen generates RSA key pairs, CKM_RSA_PKCS_KEY_PAIR_GEN. The
// public template gives CKA_MODULUS_BITS and may give CKA_PUBLIC_EXPONENT.
type RSAKeyPairGen struct{}

// Type is CKM_RSA_PKCS_KEY_PAIR_GEN.
func (RSAKeyPairGen) Type() Type { return TypeRSAPKCSKeyPairGen }

// ECKeyPairGen generates key pairs on the curve that CKA_EC_PARAMS of the
// public template names, CKM_EC_KEY_PAIR_GEN.
type ECKeyPairGen struct{}

// Type is CKM_EC_KEY_PAIR_GEN.
func (ECKeyPairGen) Type() Type { return TypeECKeyPairGen }

// ECEdwardsKeyPairGen generates key pairs for [EdDSA],
// CKM_EC_EDWARDS_KEY_PAIR_GEN.
type ECEdwardsKeyPairGen struct{}

// Type is CKM_EC_EDWARDS_KEY_PAIR_GEN.
func (ECEdwardsKeyPairGen) Type() Type { return TypeECEdwardsKeyPairGen }

// ECMontgomeryKeyPairGen generates key pairs for [ECDH] on Montgomery curves,
// CKM_EC_MONTGOMERY_KEY_PAIR_GEN.
type ECMontgomeryKeyPairGen struct{}

// Type is CKM_EC_MONTGOMERY_KEY_PAIR_GEN.
func (ECMontgomeryKeyPairGen) Type() Type { return TypeECMontgomeryKeyPairGen }

// AESKeyGen generates AES keys of CKA_VALUE_LEN bytes, CKM_AES_KEY_GEN.
type AESKeyGen struct{}

// Type is CKM_AES_KEY_GEN.
func (AESKeyGen) Type() Type { return TypeAESKeyGen }

// GenericSecretKeyGen generates secrets of CKA_VALUE_LEN bytes,
// CKM_GENERIC_SECRET_KEY_GEN.
type GenericSecretKeyGen struct{}

// Type is CKM_GENERIC_SECRET_KEY_GEN.
func (GenericSecretKeyGen) Type() Type { return TypeGenericSecretKeyGen }

func generateForms() []form {
	return []form{
		plain(RSAKeyPairGen{}), plain(ECKeyPairGen{}), plain(ECEdwardsKeyPairGen{}), plain(ECMontgomeryKeyPairGen{}),
		plain(AESKeyGen{}), plain(GenericSecretKeyGen{}),
	}
}
