package mechanism

// DES and triple DES exist for what is old; see cryptoki.WithLegacy.

// DES3ECB encrypts each block of 8 bytes alone, CKM_DES3_ECB.
type DES3ECB struct{}

// Type is CKM_DES3_ECB.
func (DES3ECB) Type() Type { return TypeDES3ECB }

// BlockMode is ECB with blocks of 8 bytes.
func (DES3ECB) BlockMode() BlockMode { return BlockMode{Size: 8} }

// DES3CBC chains blocks of 8 bytes, CKM_DES3_CBC. IV is 8 bytes.
type DES3CBC struct{ IV []byte }

// Type is CKM_DES3_CBC.
func (DES3CBC) Type() Type { return TypeDES3CBC }

// BlockMode is CBC with blocks of 8 bytes.
func (m DES3CBC) BlockMode() BlockMode { return BlockMode{Size: 8, Chained: true, IV: m.IV} }

func (m DES3CBC) problem() string { return vectorProblem(m.IV, 8) }

// DES3CBCPad chains blocks of 8 bytes and pads as PKCS #7 does,
// CKM_DES3_CBC_PAD. IV is 8 bytes.
type DES3CBCPad struct{ IV []byte }

// Type is CKM_DES3_CBC_PAD.
func (DES3CBCPad) Type() Type { return TypeDES3CBCPad }

// BlockMode is CBC with blocks of 8 bytes and a padding.
func (m DES3CBCPad) BlockMode() BlockMode {
	return BlockMode{Size: 8, Chained: true, Padded: true, IV: m.IV}
}

func (m DES3CBCPad) problem() string { return vectorProblem(m.IV, 8) }

// DESECB encrypts each block of 8 bytes alone, CKM_DES_ECB.
type DESECB struct{}

// Type is CKM_DES_ECB.
func (DESECB) Type() Type { return TypeDESECB }

// BlockMode is ECB with blocks of 8 bytes.
func (DESECB) BlockMode() BlockMode { return BlockMode{Size: 8} }

// DESCBC chains blocks of 8 bytes, CKM_DES_CBC. IV is 8 bytes.
type DESCBC struct{ IV []byte }

// Type is CKM_DES_CBC.
func (DESCBC) Type() Type { return TypeDESCBC }

// BlockMode is CBC with blocks of 8 bytes.
func (m DESCBC) BlockMode() BlockMode { return BlockMode{Size: 8, Chained: true, IV: m.IV} }

func (m DESCBC) problem() string { return vectorProblem(m.IV, 8) }

// DESCBCPad chains blocks of 8 bytes and pads as PKCS #7 does,
// CKM_DES_CBC_PAD. IV is 8 bytes.
type DESCBCPad struct{ IV []byte }

// Type is CKM_DES_CBC_PAD.
func (DESCBCPad) Type() Type { return TypeDESCBCPad }

// BlockMode is CBC with blocks of 8 bytes and a padding.
func (m DESCBCPad) BlockMode() BlockMode {
	return BlockMode{Size: 8, Chained: true, Padded: true, IV: m.IV}
}

func (m DESCBCPad) problem() string { return vectorProblem(m.IV, 8) }

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

func desForms() []form {
	return []form{
		plain(DES3ECB{}),
		bytesOf(func(iv []byte) Mechanism { return DES3CBC{IV: iv} }),
		bytesOf(func(iv []byte) Mechanism { return DES3CBCPad{IV: iv} }),
		plain(DESECB{}),
		bytesOf(func(iv []byte) Mechanism { return DESCBC{IV: iv} }),
		bytesOf(func(iv []byte) Mechanism { return DESCBCPad{IV: iv} }),
		plain(DESKeyGen{}), plain(DES2KeyGen{}), plain(DES3KeyGen{}),
	}
}
