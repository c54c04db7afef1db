package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// block returns the cipher of an AES key.
func (m *Material) block() (cipher.Block, error) {
	if err := m.needs(object.ClassSecretKey, object.KeyAES); err != nil {
		return nil, err
	}
	if m.aes == nil {
		return nil, ckr.Newf(ckr.KeySizeRange, "AES key", "%d bytes", len(m.secret))
	}
	return m.aes, nil
}

func (m *Material) encryptAES(mech mechanism.Mechanism, data []byte) ([]byte, error) {
	if !isAES(mech) {
		return nil, unsupported(mech)
	}
	block, err := m.block()
	if err != nil {
		return nil, err
	}
	switch mech := mech.(type) {
	case mechanism.AESECB:
		return ecb(block.Encrypt, data, aes.BlockSize, ckr.DataLenRange)
	case mechanism.AESCBC:
		return cbc(cipher.NewCBCEncrypter(block, mech.IV), data, ckr.DataLenRange)
	case mechanism.AESCBCPad:
		padded := pad(data, aes.BlockSize)
		defer clear(padded)
		return cbc(cipher.NewCBCEncrypter(block, mech.IV), padded, ckr.DataLenRange)
	case mechanism.AESCTR:
		return ctr(block, mech, data, ckr.DataLenRange)
	case mechanism.AESCTS:
		return cts(block, mech, data, false, ckr.DataLenRange)
	case mechanism.AESGCM:
		return m.sealGCM(block, mech, data)
	case mechanism.AESCCM:
		return sealCCM(block, mech, data)
	case mechanism.AESKeyWrap:
		return keyWrap(block, mech, data)
	case mechanism.AESKeyWrapKWP:
		return keyWrapKWP(block, mech, data)
	}
	return nil, unsupported(mech)
}

func (m *Material) decryptAES(mech mechanism.Mechanism, data []byte) ([]byte, error) {
	if !isAES(mech) {
		return nil, unsupported(mech)
	}
	block, err := m.block()
	if err != nil {
		return nil, err
	}
	switch mech := mech.(type) {
	case mechanism.AESECB:
		return ecb(block.Decrypt, data, aes.BlockSize, ckr.EncryptedDataLenRange)
	case mechanism.AESCBC:
		return cbc(cipher.NewCBCDecrypter(block, mech.IV), data, ckr.EncryptedDataLenRange)
	case mechanism.AESCBCPad:
		if len(data) == 0 {
			return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "no data")
		}
		padded, err := cbc(cipher.NewCBCDecrypter(block, mech.IV), data, ckr.EncryptedDataLenRange)
		if err != nil {
			return nil, err
		}
		return unpad(padded, aes.BlockSize)
	case mechanism.AESCTR:
		return ctr(block, mech, data, ckr.EncryptedDataLenRange)
	case mechanism.AESCTS:
		return cts(block, mech, data, true, ckr.EncryptedDataLenRange)
	case mechanism.AESGCM:
		return m.openGCM(block, mech, data)
	case mechanism.AESCCM:
		return openCCM(block, mech, data)
	case mechanism.AESKeyWrap:
		return keyUnwrap(block, mech, data)
	case mechanism.AESKeyWrapKWP:
		return keyUnwrapKWP(block, mech, data)
	}
	return nil, unsupported(mech)
}

// isAES reports whether the mechanism encrypts with AES, so that a key of
// another type is the wrong key and not the wrong mechanism.
func isAES(mech mechanism.Mechanism) bool {
	switch mech.(type) {
	case mechanism.AESECB, mechanism.AESCBC, mechanism.AESCBCPad, mechanism.AESCTR, mechanism.AESCTS, mechanism.AESGCM, mechanism.AESCCM,
		mechanism.AESKeyWrap, mechanism.AESKeyWrapKWP:
		return true
	}
	return false
}

func wholeBlocks(data []byte, size int, code ckr.Code) error {
	if len(data)%size != 0 {
		return ckr.Newf(code, "cipher", "%d bytes are no whole blocks", len(data))
	}
	return nil
}

func ecb(one func(dst, src []byte), data []byte, size int, code ckr.Code) ([]byte, error) {
	if err := wholeBlocks(data, size, code); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	for i := 0; i < len(data); i += size {
		one(out[i:i+size], data[i:i+size])
	}
	return out, nil
}

func cbc(mode cipher.BlockMode, data []byte, code ckr.Code) ([]byte, error) {
	if err := wholeBlocks(data, mode.BlockSize(), code); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	mode.CryptBlocks(out, data)
	return out, nil
}

// pad extends data as PKCS #7 does.
func pad(data []byte, size int) []byte {
	n := size - len(data)%size
	out := make([]byte, len(data)+n)
	copy(out, data)
	for i := len(data); i < len(out); i++ {
		out[i] = byte(n)
	}
	return out
}

// unpad takes the padding off, looking at the whole last block whatever it
// holds.
func unpad(padded []byte, size int) ([]byte, error) {
	last := padded[len(padded)-size:]
	n := int(last[size-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, size)
	for i, b := range last {
		in := subtle.ConstantTimeLessOrEq(size-i, n) // within the padding
		good &= subtle.ConstantTimeSelect(in, subtle.ConstantTimeByteEq(b, byte(n)), 1)
	}
	if good != 1 {
		clear(padded)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return padded[: len(padded)-n : len(padded)-n], nil
}
