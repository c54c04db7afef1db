package mechanism

// AESCCM encrypts and authenticates, CKM_AES_CCM. Nonce is 7 to 13 bytes and
// must be new for each message of a key. DataLen is the length of the
// plaintext in bytes; 0 takes that of the data. MACLen, the length of the tag
// in bytes, is even and 4 to 16; 0 means 16. The tag follows the ciphertext.
type AESCCM struct {
	DataLen    int
	Nonce, AAD []byte
	MACLen     int
}

// Type is CKM_AES_CCM.
func (AESCCM) Type() Type { return TypeAESCCM }

func (m AESCCM) problem() string {
	tag := m.TagSize()
	return first(
		when(len(m.Nonce) < 7 || len(m.Nonce) > 13, "the nonce is not 7 to 13 bytes"),
		when(tag < 4 || tag > 16 || tag%2 != 0, "the tag is not 4, 6, … 16 bytes"),
		when(m.DataLen < 0, "negative length"),
		when(len(m.AAD) > maxShared, "associated data too long"))
}

func (m AESCCM) forMessage(nonce, data []byte) (Mechanism, int) {
	m.Nonce, m.AAD, m.DataLen = nonce, data, 0
	return m, m.TagSize()
}

func (m AESCCM) associated() []byte { return m.AAD }

func (m AESCCM) associate(data []byte) Mechanism {
	m.AAD = data
	return m
}

// TagSize returns the length of the tag in bytes.
func (m AESCCM) TagSize() int {
	if m.MACLen == 0 {
		return 16
	}
	return m.MACLen
}

// AESGMAC is a message authentication code by GCM without plaintext,
// CKM_AES_GMAC. IV is at least one byte, usually 12, and must be new for each
// message of a key. The code is 16 bytes.
type AESGMAC struct{ IV []byte }

// Type is CKM_AES_GMAC.
func (AESGMAC) Type() Type { return TypeAESGMAC }

func (m AESGMAC) problem() string {
	return first(when(len(m.IV) == 0, "no initialisation vector"), when(len(m.IV) > maxShared, "initialisation vector too long"))
}

// ChaCha20Poly1305 encrypts and authenticates as RFC 8439 does,
// CKM_CHACHA20_POLY1305. Nonce is 12 bytes and must be new for each message of
// a key. The tag of 16 bytes follows the ciphertext.
type ChaCha20Poly1305 struct{ Nonce, AAD []byte }

// Type is CKM_CHACHA20_POLY1305.
func (ChaCha20Poly1305) Type() Type { return TypeChaCha20Poly1305 }

func (m ChaCha20Poly1305) problem() string {
	return first(when(len(m.Nonce) != 12, "the nonce is not 12 bytes"), when(len(m.AAD) > maxShared, "associated data too long"))
}

func (m ChaCha20Poly1305) forMessage(nonce, data []byte) (Mechanism, int) {
	m.Nonce, m.AAD = nonce, data
	return m, 16
}

// ChaCha20KeyGen generates keys for [ChaCha20Poly1305], CKM_CHACHA20_KEY_GEN.
type ChaCha20KeyGen struct{}

// Type is CKM_CHACHA20_KEY_GEN.
func (ChaCha20KeyGen) Type() Type { return TypeChaCha20KeyGen }

// AESXTS encrypts the sectors of a disk, CKM_AES_XTS. Tweak is the 16 bytes of
// the data unit's number, little endian; data is at least 16 bytes.
type AESXTS struct{ Tweak []byte }

// Type is CKM_AES_XTS.
func (AESXTS) Type() Type { return TypeAESXTS }

func (m AESXTS) problem() string {
	return when(len(m.Tweak) != 16, "the data unit number is not 16 bytes")
}

// AESXTSKeyGen generates keys for [AESXTS] of CKA_VALUE_LEN bytes, 32 or 64,
// CKM_AES_XTS_KEY_GEN.
type AESXTSKeyGen struct{}

// Type is CKM_AES_XTS_KEY_GEN.
func (AESXTSKeyGen) Type() Type { return TypeAESXTSKeyGen }

// AESCTS chains blocks and steals the ciphertext that would pad the last one,
// CKM_AES_CTS: mode CBC-CS1 of SP 800-38A's addendum. IV is 16 bytes, data at
// least 16.
type AESCTS struct{ IV []byte }

// Type is CKM_AES_CTS.
func (AESCTS) Type() Type { return TypeAESCTS }

func (m AESCTS) problem() string { return vectorProblem(m.IV, 16) }

func aeadForms() []form {
	return []form{
		plain(ChaCha20KeyGen{}),
		bytesOf(func(tweak []byte) Mechanism { return AESXTS{Tweak: tweak} }),
		plain(AESXTSKeyGen{}),
		bytesOf(func(iv []byte) Mechanism { return AESCTS{IV: iv} }),
	}
}
