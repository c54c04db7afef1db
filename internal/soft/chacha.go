package soft

import (
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// maxChaCha is the most that ChaCha20-Poly1305 encrypts at once, in bytes: the
// blocks that a counter of 32 bits counts, less the first.
const maxChaCha = (1<<32 - 1) * 64

func (m *Material) chacha() (cipher.AEAD, error) {
	if err := m.needs(object.ClassSecretKey, object.KeyChaCha20); err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.New(m.secret)
	if err != nil {
		return nil, ckr.New(ckr.KeySizeRange, "ChaCha20 key", err)
	}
	return aead, nil
}

func (m *Material) sealChaCha(mech mechanism.ChaCha20Poly1305, data []byte) ([]byte, error) {
	aead, err := m.chacha()
	if err != nil {
		return nil, err
	}
	if uint64(len(data)) > maxChaCha {
		return nil, ckr.Newf(ckr.DataLenRange, "encrypt", "%d bytes", len(data))
	}
	return aead.Seal(nil, mech.Nonce, data, mech.AAD), nil
}

func (m *Material) openChaCha(mech mechanism.ChaCha20Poly1305, sealed []byte) ([]byte, error) {
	aead, err := m.chacha()
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.Overhead() || uint64(len(sealed)) > maxChaCha {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(sealed))
	}
	return opened(aead.Open(nil, mech.Nonce, sealed, mech.AAD))
}
