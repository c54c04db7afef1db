package mechanism

// MLKEM is the key encapsulation of FIPS 203, CKM_ML_KEM, PKCS #11 v3.2
// §6. What it encapsulates is a secret of 32 bytes.
type MLKEM struct{}

// Type is CKM_ML_KEM.
func (MLKEM) Type() Type { return TypeMLKEM }

// MLKEMKeyPairGen generates key pairs of the CKA_PARAMETER_SET that the public
// template names, CKM_ML_KEM_KEY_PAIR_GEN.
type MLKEMKeyPairGen struct{}

// Type is CKM_ML_KEM_KEY_PAIR_GEN.
func (MLKEMKeyPairGen) Type() Type { return TypeMLKEMKeyPairGen }
