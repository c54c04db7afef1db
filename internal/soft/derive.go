package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha3"
	"crypto/subtle"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// DeriveLength makes a secret of a length in bytes of a key, and of the values
// of the other keys that the mechanism names (mechanism.Keys), in their order.
// Length 0 is that which the mechanism gives of itself. A length that cannot
// be had is ckr.KeySizeRange, and one for which a joined key would have to be
// cut, ckr.TemplateInconsistent: the pieces of a key are found one by one
// (Clulow 2003). The result is the caller's to clear.
func DeriveLength(m *Material, mech mechanism.Mechanism, length int, others ...[]byte) ([]byte, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	if agreement, ok := mech.(mechanism.ECDH); ok {
		return m.deriveECDH(agreement, length)
	}
	if !derivesSecret(mech) {
		return nil, unsupported(mech)
	}
	if len(others) != len(mechanism.Keys(mech)) {
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), nil)
	}
	if m.class != object.ClassSecretKey {
		return nil, m.wrongKey("no derivation")
	}
	if m.secret == nil {
		return nil, ckr.Newf(ckr.KeyHandleInvalid, "key", "the key material was cleared")
	}
	if length < 0 || length > maxDerived {
		return nil, tooLong(length)
	}
	return m.deriveSecret(mech, length, others)
}

func derivesSecret(mech mechanism.Mechanism) bool {
	switch mech.(type) {
	case mechanism.ConcatenateBaseAndKey, mechanism.ConcatenateBaseAndData, mechanism.ConcatenateDataAndBase,
		mechanism.XORBaseAndData, mechanism.ExtractKeyFromKey, mechanism.HashDerive, mechanism.SHAKEDerive,
		mechanism.AESECBEncryptData, mechanism.AESCBCEncryptData, mechanism.HKDF, mechanism.KBKDF:
		return true
	}
	return false
}

func (m *Material) deriveSecret(mech mechanism.Mechanism, length int, others [][]byte) ([]byte, error) {
	switch mech := mech.(type) {
	case mechanism.ConcatenateBaseAndKey:
		return whole(length, m.secret, others[0])
	case mechanism.ConcatenateBaseAndData:
		return whole(length, m.secret, mech.Data)
	case mechanism.ConcatenateDataAndBase:
		return whole(length, mech.Data, m.secret)
	case mechanism.XORBaseAndData:
		return m.xor(mech.Data, length)
	case mechanism.ExtractKeyFromKey:
		return m.extract(mech.Bit, length)
	case mechanism.HashDerive:
		h := mech.Hash.New()
		h.Write(m.secret)
		return leading(h.Sum(nil), length)
	case mechanism.SHAKEDerive:
		return m.shake(mech.Bits, length), nil
	case mechanism.AESECBEncryptData:
		return m.encryptData(mechanism.AESECB{}, mech.Data, length)
	case mechanism.AESCBCEncryptData:
		return m.encryptData(mechanism.AESCBC{IV: mech.IV}, mech.Data, length)
	case mechanism.HKDF:
		return m.hkdf(mech, length, others)
	case mechanism.KBKDF:
		return m.kbkdf(mech, length, others)
	}
	return nil, unsupported(mech)
}

func tooLong(length int) error {
	return ckr.Newf(ckr.KeySizeRange, "derive", "%d bytes", length)
}

// whole joins secrets, of which nothing may be cut off.
func whole(length int, parts ...[]byte) ([]byte, error) {
	out := slices.Concat(parts...)
	if length != 0 && length != len(out) {
		clear(out)
		return nil, ckr.Newf(ckr.TemplateInconsistent, "derive", "the key has %d bytes, not %d", len(out), length)
	}
	return out, nil
}

// leading returns the first bytes of a secret that it takes over.
func leading(secret []byte, length int) ([]byte, error) {
	if length > len(secret) {
		clear(secret)
		return nil, tooLong(length)
	}
	if length == 0 {
		return secret, nil
	}
	clear(secret[length:])
	return secret[:length:length], nil
}

func (m *Material) xor(data []byte, length int) ([]byte, error) {
	if len(data) < len(m.secret) { // the result would be a piece of the key
		return nil, ckr.Newf(ckr.TemplateInconsistent, "derive", "the data is shorter than the key")
	}
	out := make([]byte, len(m.secret))
	subtle.XORBytes(out, m.secret, data)
	return whole(length, out)
}

// minExtracted is the length in bytes under which a part of a key is found by
// trying.
const minExtracted = 16

func (m *Material) extract(bit, length int) ([]byte, error) {
	total := 8 * len(m.secret)
	switch {
	case length == 0:
		return nil, ckr.Newf(ckr.TemplateIncomplete, "derive", "a length is needed")
	case length < minExtracted || 8*length > total:
		return nil, tooLong(length)
	case bit >= total:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "derive", "the key has %d bits", total)
	}
	out := make([]byte, length)
	for i := range 8 * length {
		from := (bit + i) % total
		out[i/8] |= m.secret[from/8] >> (7 - from%8) & 1 << (7 - i%8)
	}
	return out, nil
}

func (m *Material) shake(bits, length int) []byte {
	h := sha3.NewSHAKE128()
	if bits == 256 {
		h = sha3.NewSHAKE256()
	}
	if length == 0 {
		length = bits / 4 // as strong as the function
	}
	h.Write(m.secret)
	out := make([]byte, length)
	h.Read(out)
	return out
}

func (m *Material) encryptData(mech mechanism.Mechanism, data []byte, length int) ([]byte, error) {
	block, err := m.block()
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	if mech, ok := mech.(mechanism.AESCBC); ok {
		cipher.NewCBCEncrypter(block, mech.IV).CryptBlocks(out, data)
	} else {
		for i := 0; i < len(data); i += aes.BlockSize {
			block.Encrypt(out[i:], data[i:])
		}
	}
	return leading(out, length)
}

func (m *Material) hkdf(mech mechanism.HKDF, length int, others [][]byte) ([]byte, error) {
	salt := mech.Salt
	if len(others) > 0 {
		salt = others[0]
	}
	size := mech.Hash.Size()
	key := m.secret
	if mech.Extract {
		extracted, err := hkdf.Extract(mech.Hash.New, m.secret, salt)
		if err != nil {
			return nil, ckr.New(ckr.KeySizeRange, "HKDF", err)
		}
		if !mech.Expand {
			return leading(extracted, length)
		}
		defer clear(extracted)
		key = extracted
	}
	if length == 0 {
		length = size
	}
	if length > 255*size {
		return nil, tooLong(length)
	}
	out, err := hkdf.Expand(mech.Hash.New, key, string(mech.Info), length)
	if err != nil {
		return nil, ckr.New(ckr.KeySizeRange, "HKDF", err)
	}
	return out, nil
}
