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
	block, err := aes.NewCipher(m.secret)
	if err != nil {
		return nil, ckr.Newf(ckr.KeySizeRange, "AES key", "%d bytes", len(m.secret))
	}
	return block, nil
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
		return ecb(block.Encrypt, data, ckr.DataLenRange)
	case mechanism.AESCBC:
		return cbc(cipher.NewCBCEncrypter(block, mech.IV), data, ckr.DataLenRange)
	case mechanism.AESCBCPad:
		padded := pad(data)
		defer clear(padded)
		return cbc(cipher.NewCBCEncrypter(block, mech.IV), padded, ckr.DataLenRange)
	case mechanism.AESCTR:
		return ctr(block, mech, data, ckr.DataLenRange)
	case mechanism.AESGCM:
		return sealGCM(block, mech, data)
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
		return ecb(block.Decrypt, data, ckr.EncryptedDataLenRange)
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
		return unpad(padded)
	case mechanism.AESCTR:
		return ctr(block, mech, data, ckr.EncryptedDataLenRange)
	case mechanism.AESGCM:
		return openGCM(block, mech, data)
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
	case mechanism.AESECB, mechanism.AESCBC, mechanism.AESCBCPad, mechanism.AESCTR, mechanism.AESGCM,
		mechanism.AESKeyWrap, mechanism.AESKeyWrapKWP:
		return true
	}
	return false
}

func wholeBlocks(data []byte, code ckr.Code) error {
	if len(data)%aes.BlockSize != 0 {
		return ckr.Newf(code, "AES", "%d bytes are no whole blocks", len(data))
	}
	return nil
}

func ecb(one func(dst, src []byte), data []byte, code ckr.Code) ([]byte, error) {
	if err := wholeBlocks(data, code); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	for i := 0; i < len(data); i += aes.BlockSize {
		one(out[i:i+aes.BlockSize], data[i:i+aes.BlockSize])
	}
	return out, nil
}

func cbc(mode cipher.BlockMode, data []byte, code ckr.Code) ([]byte, error) {
	if err := wholeBlocks(data, code); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	mode.CryptBlocks(out, data)
	return out, nil
}

// pad extends data as PKCS #7 does.
func pad(data []byte) []byte {
	n := aes.BlockSize - len(data)%aes.BlockSize
	out := make([]byte, len(data)+n)
	copy(out, data)
	for i := len(data); i < len(out); i++ {
		out[i] = byte(n)
	}
	return out
}

// unpad takes the padding off, looking at the whole last block whatever it
// holds.
func unpad(padded []byte) ([]byte, error) {
	last := padded[len(padded)-aes.BlockSize:]
	n := int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i, b := range last {
		in := subtle.ConstantTimeLessOrEq(aes.BlockSize-i, n) // within the padding
		good &= subtle.ConstantTimeSelect(in, subtle.ConstantTimeByteEq(b, byte(n)), 1)
	}
	if good != 1 {
		clear(padded)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return padded[: len(padded)-n : len(padded)-n], nil
}
