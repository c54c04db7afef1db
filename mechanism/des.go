package mechanism

// DES and triple DES exist for what is old; see cryptoki.WithLegacy.

// DES3ECB encrypts each block of 8 bytes alone, CKM_DES3_ECB.
type DES3ECB struct{}

// Type is CKM_DES3_ECB.
func (DES3ECB) Type() Type { return TypeDES3ECB }

// DES3CBC chains blocks of 8 bytes, CKM_DES3_CBC. IV is 8 bytes.
type DES3CBC struct{ IV []byte }

// Type is CKM_DES3_CBC.
func (DES3CBC) Type() Type { return TypeDES3CBC }

// DES3CBCPad chains blocks of 8 bytes and pads as PKCS #7 does,
// CKM_DES3_CBC_PAD. IV is 8 bytes.
type DES3CBCPad struct{ IV []byte }

// Type is CKM_DES3_CBC_PAD.
func (DES3CBCPad) Type() Type { return TypeDES3CBCPad }

// DESECB encrypts each block of 8 bytes alone, CKM_DES_ECB.
type DESECB struct{}

// Type is CKM_DES_ECB.
func (DESECB) Type() Type { return TypeDESECB }

// DESCBC chains blocks of 8 bytes, CKM_DES_CBC. IV is 8 bytes.
type DESCBC struct{ IV []byte }

// Type is CKM_DES_CBC.
func (DESCBC) Type() Type { return TypeDESCBC }

// DESCBCPad chains blocks of 8 bytes and pads as PKCS #7 does,
// CKM_DES_CBC_PAD. IV is 8 bytes.
type DESCBCPad struct{ IV []byte }

// Type is CKM_DES_CBC_PAD.
func (DESCBCPad) Type() Type { return TypeDESCBCPad }

// DESKeyGen, DES2KeyGen and DES3KeyGen generate keys of one, two and three
// parts.
type (
	DESKeyGen  struct{}
	DES2KeyGen struct{}
	DES3KeyGen struct{}
)

// Type is CKM_DES_KEY_GEN.
func (DESKeyGen) Type() Type { return TypeDESKeyGen }

// Type is CKM_DES2_KEY_GEN.
func (DES2KeyGen) Type() Type { return TypeDES2KeyGen }

// Type is CKM_DES3_KEY_GEN.
func (DES3KeyGen) Type() Type { return TypeDES3KeyGen }

// desProblem says what is wrong with the parameters.
func desProblem(m Mechanism) string {
	var iv []byte
	switch m := m.(type) {
	case DES3CBC:
		iv = m.IV
	case DES3CBCPad:
		iv = m.IV
	case DESCBC:
		iv = m.IV
	case DESCBCPad:
		iv = m.IV
	default:
		return ""
	}
	return when(len(iv) != 8, "the initialisation vector is not 8 bytes")
}
