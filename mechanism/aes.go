package mechanism

// AESECB encrypts each block alone, CKM_AES_ECB. Input is a multiple of 16
// bytes.
type AESECB struct{}

// Type is CKM_AES_ECB.
func (AESECB) Type() Type { return TypeAESECB }

// BlockMode is ECB with blocks of 16 bytes.
func (AESECB) BlockMode() BlockMode { return BlockMode{Size: 16} }

// AESCBC chains blocks, CKM_AES_CBC. Input is a multiple of 16 bytes, IV is
// 16 bytes.
type AESCBC struct{ IV []byte }

// Type is CKM_AES_CBC.
func (AESCBC) Type() Type { return TypeAESCBC }

// BlockMode is CBC with blocks of 16 bytes.
func (m AESCBC) BlockMode() BlockMode { return BlockMode{Size: 16, Chained: true, IV: m.IV} }

func (m AESCBC) problem() string { return vectorProblem(m.IV, 16) }

// AESCBCPad chains blocks and pads as PKCS #7 does, CKM_AES_CBC_PAD. IV is 16
// bytes.
type AESCBCPad struct{ IV []byte }

// Type is CKM_AES_CBC_PAD.
func (AESCBCPad) Type() Type { return TypeAESCBCPad }

// BlockMode is CBC with blocks of 16 bytes and a padding.
func (m AESCBCPad) BlockMode() BlockMode {
	return BlockMode{Size: 16, Chained: true, Padded: true, IV: m.IV}
}

func (m AESCBCPad) problem() string { return vectorProblem(m.IV, 16) }

// AESCTR encrypts with a counter, CKM_AES_CTR. CB is the first counter block,
// 16 bytes; CounterBits, 1 to 128, says how many of its last bits count. The
// counter must not come round: input is at most 2^CounterBits blocks.
type AESCTR struct {
	CounterBits int
	CB          []byte
}

// Type is CKM_AES_CTR.
func (AESCTR) Type() Type { return TypeAESCTR }

func (m AESCTR) problem() string {
	return first(
		when(len(m.CB) != 16, "the counter block is not 16 bytes"),
		when(m.CounterBits < 1 || m.CounterBits > 128, "counter bits not within 1 to 128"))
}

// AESGCM encrypts and authenticates, CKM_AES_GCM. IV is at least one byte,
// usually 12, and must be new for each message of a key. TagBits is 96, 104,
// 112, 120 or 128; 0 means 128. The tag follows the ciphertext.
type AESGCM struct {
	IV, AAD []byte
	TagBits int
}

// Type is CKM_AES_GCM.
func (AESGCM) Type() Type { return TypeAESGCM }

func (m AESGCM) problem() string {
	tag := m.TagSize()
	return first(
		when(len(m.IV) == 0, "no initialisation vector"),
		when(len(m.IV) > maxShared, "initialisation vector too long"),
		when(m.TagBits != 0 && (m.TagBits%8 != 0 || tag < 12 || tag > 16), "tag not 96, 104, 112, 120 or 128 bits"))
}

func (m AESGCM) forMessage(nonce, data []byte) (Mechanism, int) {
	m.IV, m.AAD = nonce, data
	return m, m.TagSize()
}

func (m AESGCM) associated() []byte { return m.AAD }

func (m AESGCM) associate(data []byte) Mechanism {
	m.AAD = data
	return m
}

// TagSize returns the length of the tag in bytes.
func (m AESGCM) TagSize() int {
	if m.TagBits == 0 {
		return 16
	}
	return m.TagBits / 8
}

// AESCMAC is a message authentication code, CKM_AES_CMAC. Length is that of
// the code in bytes, at least 4; 0 means 16. With a Length the type is
// CKM_AES_CMAC_GENERAL.
type AESCMAC struct{ Length int }

// Type is CKM_AES_CMAC or CKM_AES_CMAC_GENERAL.
func (m AESCMAC) Type() Type {
	if m.Length == 0 {
		return TypeAESCMAC
	}
	return TypeAESCMACGeneral
}

func (m AESCMAC) problem() string {
	return when(m.Length != 0 && (m.Length < minMAC || m.Length > 16), "length not within 4 to 16 bytes")
}

func (m AESCMAC) pseudorandom() bool { return m.Length == 0 }

// AESKeyWrap wraps keys as RFC 3394 does, CKM_AES_KEY_WRAP. Input is a
// multiple of 8 bytes, at least 16. IV is 8 bytes; nil means the initial
// value of the RFC.
type AESKeyWrap struct{ IV []byte }

// Type is CKM_AES_KEY_WRAP.
func (AESKeyWrap) Type() Type { return TypeAESKeyWrap }

func (m AESKeyWrap) problem() string {
	return when(len(m.IV) != 0 && len(m.IV) != 8, "the initial value is not 8 bytes")
}

// AESKeyWrapKWP wraps keys of any length as RFC 5649 does,
// CKM_AES_KEY_WRAP_KWP. IV is 4 bytes; nil means the initial value of the
// RFC.
type AESKeyWrapKWP struct{ IV []byte }

// Type is CKM_AES_KEY_WRAP_KWP.
func (AESKeyWrapKWP) Type() Type { return TypeAESKeyWrapKWP }

func (m AESKeyWrapKWP) problem() string {
	return when(len(m.IV) != 0 && len(m.IV) != 4, "the initial value is not 4 bytes")
}

func aesForms() []form {
	return []form{
		plain(AESECB{}),
		bytesOf(func(iv []byte) Mechanism { return AESCBC{IV: iv} }),
		bytesOf(func(iv []byte) Mechanism { return AESCBCPad{IV: iv} }),
		structure(ShapeCTR, AESCTR{}),
		structure(ShapeGCM, AESGCM{}),
		plain(AESCMAC{}),
		numberOf(TypeAESCMACGeneral, 1, func(n int) Mechanism { return AESCMAC{Length: n} }),
		bytesOf(func(iv []byte) Mechanism { return AESKeyWrap{IV: iv} }),
		bytesOf(func(iv []byte) Mechanism { return AESKeyWrapKWP{IV: iv} }),
	}
}
