package soft

import (
	"crypto/aes"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// wrapRSAAES wraps a key by a temporary AES key, and that by OAEP.
func (m *Material) wrapRSAAES(mech mechanism.RSAAESKeyWrap, value []byte) ([]byte, error) {
	temporary := randomSeed(mech.KeyBits / 8)
	defer clear(temporary)
	head, err := m.encryptOAEP(mech.OAEP, temporary)
	if err != nil {
		return nil, err
	}
	tail, err := wrapTemporary(temporary, value)
	if err != nil {
		return nil, err
	}
	return append(head, tail...), nil
}

// unwrapRSAAES has one error for whatever is wrong with either part.
func (m *Material) unwrapRSAAES(mech mechanism.RSAAESKeyWrap, wrapped []byte, _ object.Template) ([]byte, error) {
	size := m.rsaPublic.Size()
	if len(wrapped) < size {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "unwrap", "%d bytes", len(wrapped))
	}
	temporary, err := m.decryptOAEP(mech.OAEP, wrapped[:size])
	if err != nil {
		return nil, err
	}
	defer clear(temporary)
	if len(temporary) != mech.KeyBits/8 {
		return nil, ckr.New(ckr.EncryptedDataInvalid, "unwrap", nil)
	}
	return unwrapTemporary(temporary, wrapped[size:])
}

// wrapTemporary wraps a key by a temporary AES key, as CKM_AES_KEY_WRAP_KWP does.
func wrapTemporary(temporary, value []byte) ([]byte, error) {
	block, err := aes.NewCipher(temporary)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "AES key", err)
	}
	w := keyWrapKWP{block, initialKWP}
	return w.seal(value)
}

func unwrapTemporary(temporary, wrapped []byte) ([]byte, error) {
	block, err := aes.NewCipher(temporary)
	if err != nil {
		return nil, ckr.New(ckr.FunctionFailed, "AES key", err)
	}
	w := keyWrapKWP{block, initialKWP}
	return w.open(wrapped)
}
