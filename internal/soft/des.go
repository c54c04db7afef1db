package soft

import (
	"crypto/cipher"
	"crypto/des"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// isDES reports whether the mechanism encrypts with DES of one to three keys,
// and whether of one.
func isDES(mech mechanism.Mechanism) (yes, single bool) {
	switch mech.(type) {
	case mechanism.DESECB, mechanism.DESCBC, mechanism.DESCBCPad:
		return true, true
	case mechanism.DES3ECB, mechanism.DES3CBC, mechanism.DES3CBCPad:
		return true, false
	}
	return false, false
}

// desBlock returns the cipher of a DES key.
func (m *Material) desBlock(single bool) (cipher.Block, error) {
	keys := []object.KeyType{object.KeyDES2, object.KeyDES3}
	if single {
		keys = []object.KeyType{object.KeyDES}
	}
	if err := m.needs(object.ClassSecretKey, keys...); err != nil {
		return nil, err
	}
	var block cipher.Block
	var err error
	switch {
	case single:
		block, err = des.NewCipher(m.secret)
	case len(m.secret) == 16:
		long := slices.Concat(m.secret, m.secret[:8])
		defer clear(long)
		block, err = des.NewTripleDESCipher(long)
	default:
		block, err = des.NewTripleDESCipher(m.secret)
	}
	if err != nil {
		return nil, ckr.Newf(ckr.KeySizeRange, "DES key", "%d bytes", len(m.secret))
	}
	return block, nil
}

func (m *Material) encryptDES(mech mechanism.Mechanism, single bool, data []byte) ([]byte, error) {
	block, err := m.desBlock(single)
	if err != nil {
		return nil, err
	}
	iv, padded, chained := desMode(mech)
	if !chained {
		return ecb(block.Encrypt, data, des.BlockSize, ckr.DataLenRange)
	}
	if padded {
		data = pad(data, des.BlockSize)
		defer clear(data)
	}
	return cbc(cipher.NewCBCEncrypter(block, iv), data, ckr.DataLenRange)
}

func (m *Material) decryptDES(mech mechanism.Mechanism, single bool, data []byte) ([]byte, error) {
	block, err := m.desBlock(single)
	if err != nil {
		return nil, err
	}
	iv, padded, chained := desMode(mech)
	if !chained {
		return ecb(block.Decrypt, data, des.BlockSize, ckr.EncryptedDataLenRange)
	}
	if padded && len(data) == 0 {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "no data")
	}
	out, err := cbc(cipher.NewCBCDecrypter(block, iv), data, ckr.EncryptedDataLenRange)
	if err != nil || !padded {
		return out, err
	}
	return unpad(out, des.BlockSize)
}

func desMode(mech mechanism.Mechanism) (iv []byte, padded, chained bool) {
	switch mech := mech.(type) {
	case mechanism.DESCBC:
		return mech.IV, false, true
	case mechanism.DES3CBC:
		return mech.IV, false, true
	case mechanism.DESCBCPad:
		return mech.IV, true, true
	case mechanism.DES3CBCPad:
		return mech.IV, true, true
	}
	return nil, false, false
}
