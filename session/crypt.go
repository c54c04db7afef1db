package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// Encrypt encrypts data in one call (C_EncryptInit, C_Encrypt; PKCS #11 v3.2
// §5.8), with public keys and session keys in software, with secret keys of
// the card on it. Errors: as of Sign.
func (s *Session) Encrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object, data []byte) ([]byte, error) {
	const op = "encrypt"
	g, err := s.handle.Grant(ctx, op, key, engine.ToEncrypt, m)
	if err != nil {
		return nil, err
	}
	return s.handle.Encrypt(ctx, engine.Use{Grant: g, Op: op, Immediate: true}, m, data)
}

// Decrypt decrypts data in one call (C_DecryptInit, C_Decrypt; PKCS #11 v3.2
// §5.10). A key with CKA_ALWAYS_AUTHENTICATE needs NewDecrypt and Login.
// Errors: ckr.EncryptedDataInvalid, ckr.EncryptedDataLenRange, and those of
// Sign.
func (s *Session) Decrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object, data []byte) ([]byte, error) {
	const op = "decrypt"
	g, err := s.handle.Grant(ctx, op, key, engine.ToDecrypt, m)
	if err != nil {
		return nil, err
	}
	return s.handle.Decrypt(ctx, engine.Use{Grant: g, Op: op, Immediate: true}, m, data)
}
