package soft

import (
	"crypto/cipher"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// maxChaCha is the most that ChaCha20-Poly1305 encrypts at once, in bytes: the
// blocks that a counter of 32 bits counts, less the first.
const maxChaCha = (1<<32 - 1) * 64

// chacha is ChaCha20-Poly1305 with a key.
type chacha struct {
	aead cipher.AEAD
	mech mechanism.ChaCha20Poly1305
}

func (m *Material) chacha(mech mechanism.ChaCha20Poly1305) (chacha, error) {
	aead, err := chacha20poly1305.New(m.secret)
	if err != nil {
		return chacha{}, ckr.New(ckr.KeySizeRange, "ChaCha20 key", err)
	}
	return chacha{aead, mech}, nil
}

func (m *Material) cryptChaCha(mech mechanism.ChaCha20Poly1305, data []byte, decrypt bool) ([]byte, error) {
	c, err := m.chacha(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return c.open(data)
	}
	return c.seal(data)
}

func (c *chacha) seal(plain []byte) ([]byte, error) {
	if uint64(len(plain)) > maxChaCha {
		return nil, ckr.Newf(ckr.DataLenRange, "encrypt", "%d bytes", len(plain))
	}
	return c.aead.Seal(nil, c.mech.Nonce, plain, c.mech.AAD), nil
}

func (c *chacha) open(sealed []byte) ([]byte, error) {
	if len(sealed) < c.aead.Overhead() || uint64(len(sealed)) > maxChaCha {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(sealed))
	}
	return opened(c.aead.Open(nil, c.mech.Nonce, sealed, c.mech.AAD))
}
