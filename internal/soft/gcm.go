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

// gcm is GCM with a key.
type gcm struct {
	aead cipher.AEAD
	mech mechanism.AESGCM
}

// gcmWith returns GCM for the messages of a mechanism.
func (m *Material) gcmWith(mech mechanism.AESGCM) (gcm, error) {
	block, err := m.block()
	if err != nil {
		return gcm{}, err
	}
	aead, err := m.fullGCM(block, mech)
	return gcm{aead, mech}, err
}

func (m *Material) cryptGCM(mech mechanism.AESGCM, data []byte, decrypt bool) ([]byte, error) {
	g, err := m.gcmWith(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return g.open(data)
	}
	return g.seal(data)
}

func (g *gcm) seal(plain []byte) ([]byte, error) {
	if uint64(len(plain)) > maxGCM {
		return nil, ckr.Newf(ckr.DataLenRange, "encrypt", "%d bytes", len(plain))
	}
	sealed := g.aead.Seal(nil, g.mech.IV, plain, g.mech.AAD)
	return sealed[:len(plain)+g.mech.TagSize()], nil
}

func (g *gcm) open(sealed []byte) ([]byte, error) {
	size := g.mech.TagSize()
	if len(sealed) < size || uint64(len(sealed)) > maxGCM {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(sealed))
	}
	if size == g.aead.Overhead() {
		return opened(g.aead.Open(nil, g.mech.IV, sealed, g.mech.AAD))
	}
	return openShort(g.aead, g.mech, sealed[:len(sealed)-size], sealed[len(sealed)-size:])
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
