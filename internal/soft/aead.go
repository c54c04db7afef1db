package soft

import (
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

func aeadRows() []row {
	nonce := make([]byte, 12)
	gcm := scheme[mechanism.AESGCM]{keys: aesKeys, sizes: aesSizes, unapproved: true, crypt: (*Material).cryptGCM}
	ccm := scheme[mechanism.AESCCM]{keys: aesKeys, sizes: aesSizes, crypt: (*Material).cryptCCM}
	chacha := scheme[mechanism.ChaCha20Poly1305]{
		keys: secrets(object.KeyChaCha20), sizes: sizes{32, 32}, unapproved: true, crypt: (*Material).cryptChaCha,
	}
	return []row{
		wrapping(gcm).row(mechanism.AESGCM{IV: nonce}),
		wrapping(ccm).row(mechanism.AESCCM{Nonce: nonce}),
		chacha.row(mechanism.ChaCha20Poly1305{Nonce: nonce}),
	}
}
