package soft

import (
	"crypto/cipher"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// maxGCM is the most that GCM encrypts at once, in bytes: 2^32-2 blocks.
const maxGCM = (1<<32 - 2) * 16

// usualIV is the length in bytes for which a key keeps its GCM.
const usualIV = 12

// fullGCM returns GCM with the whole tag; shorter ones are its beginning.
func (m *Material) fullGCM(block cipher.Block, mech mechanism.AESGCM) (cipher.AEAD, error) {
	if len(mech.IV) == usualIV && m.gcm != nil {
		return m.gcm, nil
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(mech.IV))
	if err != nil {
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), err)
	}
	return aead, nil
}

func (m *Material) sealGCM(block cipher.Block, mech mechanism.AESGCM, data []byte) ([]byte, error) {
	if uint64(len(data)) > maxGCM {
		return nil, ckr.Newf(ckr.DataLenRange, "encrypt", "%d bytes", len(data))
	}
	aead, err := m.fullGCM(block, mech)
	if err != nil {
		return nil, err
	}
	sealed := aead.Seal(nil, mech.IV, data, mech.AAD)
	return sealed[:len(data)+mech.TagSize()], nil
}

func (m *Material) openGCM(block cipher.Block, mech mechanism.AESGCM, sealed []byte) ([]byte, error) {
	size := mech.TagSize()
	if len(sealed) < size || uint64(len(sealed)) > maxGCM {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(sealed))
	}
	aead, err := m.fullGCM(block, mech)
	if err != nil {
		return nil, err
	}
	if size == aead.Overhead() {
		return opened(aead.Open(nil, mech.IV, sealed, mech.AAD))
	}
	return openShort(aead, mech, sealed[:len(sealed)-size], sealed[len(sealed)-size:])
}

// openShort opens what has a shorter tag, which the standard library does only
// for IVs of 12 bytes. GCM encrypts by a key stream: sealing the ciphertext
// gives the plaintext back, and sealing that gives the whole tag to compare
// with. Nothing is returned before the tag is known to be good.
func openShort(aead cipher.AEAD, mech mechanism.AESGCM, data, tag []byte) ([]byte, error) {
	plain := aead.Seal(nil, mech.IV, data, mech.AAD)[:len(data)]
	again := aead.Seal(nil, mech.IV, plain, mech.AAD)
	if subtle.ConstantTimeCompare(again[len(data):len(data)+len(tag)], tag) != 1 {
		clear(plain)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return plain[:len(plain):len(plain)], nil
}
