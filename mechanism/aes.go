package mechanism

// AESECB encrypts each block alone, CKM_AES_ECB. Input is a multiple of 16
// bytes.
type AESECB struct{}

// Type is CKM_AES_ECB.
func (AESECB) Type() Type { return TypeAESECB }

// AESCBC chains blocks, CKM_AES_CBC. Input is a multiple of 16 bytes, IV is
// 16 bytes.
type AESCBC struct{ IV []byte }

// Type is CKM_AES_CBC.
func (AESCBC) Type() Type { return TypeAESCBC }

// AESCBCPad chains blocks and pads as PKCS #7 does, CKM_AES_CBC_PAD. IV is 16
// bytes.
type AESCBCPad struct{ IV []byte }

// Type is CKM_AES_CBC_PAD.
func (AESCBCPad) Type() Type { return TypeAESCBCPad }

// AESCTR encrypts with a counter, CKM_AES_CTR. CB is the first counter block,
// 16 bytes; CounterBits, 1 to 128, says how many of its last bits count. The
// counter must not come round: input is at most 2^CounterBits blocks.
type AESCTR struct {
	CounterBits int
	CB          []byte
}

// Type is CKM_AES_CTR.
func (AESCTR) Type() Type { return TypeAESCTR }

// AESGCM encrypts and authenticates, CKM_AES_GCM. IV is at least one byte,
// usually 12, and must be new for each message of a key. TagBits is 96, 104,
// 112, 120 or 128; 0 means 128. The tag follows the ciphertext.
type AESGCM struct {
	IV, AAD []byte
	TagBits int
}

// Type is CKM_AES_GCM.
func (AESGCM) Type() Type { return TypeAESGCM }

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

// AESKeyWrap wraps keys as RFC 3394 does, CKM_AES_KEY_WRAP. Input is a
// multiple of 8 bytes, at least 16. IV is 8 bytes; nil means the initial
// value of the RFC.
type AESKeyWrap struct{ IV []byte }

// Type is CKM_AES_KEY_WRAP.
func (AESKeyWrap) Type() Type { return TypeAESKeyWrap }

// AESKeyWrapKWP wraps keys of any length as RFC 5649 does,
// CKM_AES_KEY_WRAP_KWP. IV is 4 bytes; nil means the initial value of the
// RFC.
type AESKeyWrapKWP struct{ IV []byte }

// Type is CKM_AES_KEY_WRAP_KWP.
func (AESKeyWrapKWP) Type() Type { return TypeAESKeyWrapKWP }
