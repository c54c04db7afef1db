package soft

import (
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func aeadRows() []row {
	nonce := make([]byte, 12)
	return []row{
		wrapping(sealing((*Material).gcmWith, scheme[mechanism.AESGCM]{keys: aesKeys, sizes: aesSizes, unapproved: true})).
			row(mechanism.AESGCM{IV: nonce}),
		wrapping(sealing((*Material).ccm, scheme[mechanism.AESCCM]{keys: aesKeys, sizes: aesSizes})).
			row(mechanism.AESCCM{Nonce: nonce}),
		sealing((*Material).chacha, scheme[mechanism.ChaCha20Poly1305]{
			keys: secrets(object.KeyChaCha20), sizes: sizes{32, 32}, unapproved: true,
		}).row(mechanism.ChaCha20Poly1305{Nonce: nonce}),
	}
}
