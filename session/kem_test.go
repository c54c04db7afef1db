package session_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestBothSidesOfAKEMHaveTheSameKey encapsulates with each parameter set.
func TestBothSidesOfAKEMHaveTheSameKey(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	aes := object.Template{object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(32), object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true)}
	for set := object.ParameterSetMLKEM512; set <= object.ParameterSetMLKEM1024; set++ {
		pub, priv, err := s.GenerateKeyPair(ctx, mechanism.MLKEMKeyPairGen{}, object.Template{object.AttrParameterSet.Is(set)}, nil)
		noError(t, err)
		ciphertext, mine, err := s.Encapsulate(ctx, mechanism.MLKEM{}, pub, aes...)
		noError(t, err)
		theirs := must(s.Decapsulate(ctx, mechanism.MLKEM{}, priv, ciphertext, aes...))(t)
		sealed := must(s.Encrypt(ctx, mechanism.AESECB{}, mine, make([]byte, 16)))(t)
		if plain := must(s.Decrypt(ctx, mechanism.AESECB{}, theirs, sealed))(t); !bytes.Equal(plain, make([]byte, 16)) {
			t.Errorf("set %v: the keys differ", set)
		}
		_, err = s.Decapsulate(ctx, mechanism.MLKEM{}, priv, ciphertext[1:], aes...)
		isCode(t, err, ckr.WrappedKeyLenRange)
		_, err = s.Decapsulate(ctx, mechanism.MLKEM{}, priv, ciphertext, aes.With(object.AttrSensitive.Is(false))...)
		isCode(t, err, ckr.TemplateInconsistent)
	}
}

// TestKEMKeysAreThoseOfTheStandardLibrary takes a private key as
// crypto.Decapsulator.
func TestKEMKeysAreThoseOfTheStandardLibrary(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	for _, set := range []object.ParameterSet{object.ParameterSetMLKEM768, object.ParameterSetMLKEM1024} {
		_, priv, err := s.GenerateKeyPair(ctx, mechanism.MLKEMKeyPairGen{}, object.Template{object.AttrParameterSet.Is(set)}, nil)
		noError(t, err)
		key, ok := must(s.Key(ctx, priv))(t).(crypto.Decapsulator)
		if !ok {
			t.Fatal("the key does not decapsulate")
		}
		secret, ciphertext := key.Encapsulator().Encapsulate()
		if got := must(key.Decapsulate(ciphertext))(t); !bytes.Equal(got, secret) {
			t.Errorf("%X, want %X", got, secret)
		}
	}
}
