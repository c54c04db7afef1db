package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Encapsulate makes a secret key for the owner of a public key and returns it
// with the ciphertext that tells it (C_EncapsulateKey, PKCS #11 v3.2 §5.18).
// Errors: those of Derive.
func (s *Session) Encapsulate(ctx context.Context, m mechanism.Mechanism, public *object.Object, template ...object.Attribute) (ciphertext []byte, key *object.Object, err error) {
	g, err := s.grantKey(ctx, engine.ToEncapsulate, public, m)
	if err != nil {
		return nil, nil, err
	}
	return s.handle.Encapsulate(ctx, g, driver.Auth{}, m, template)
}

// Decapsulate makes the secret key that a ciphertext tells the owner of the
// private key (C_DecapsulateKey, PKCS #11 v3.2 §5.18). A ciphertext of ML-KEM
// that was altered makes another key. Errors: ckr.WrappedKeyLenRange, and as of
// Unwrap.
func (s *Session) Decapsulate(ctx context.Context, m mechanism.Mechanism, private *object.Object, ciphertext []byte, template ...object.Attribute) (*object.Object, error) {
	g, err := s.grantKey(ctx, engine.ToDecapsulate, private, m)
	if err != nil {
		return nil, err
	}
	return s.handle.Decapsulate(ctx, g, driver.Auth{}, m, ciphertext, template)
}

// decapsulate returns the bare secret, for crypto.Decapsulator; the caller
// clears it.
func (s *Session) decapsulate(ctx context.Context, private *object.Object, ciphertext []byte) ([]byte, error) {
	m := mechanism.MLKEM{}
	g, err := s.handle.Grant(ctx, "decapsulate", private, engine.ToDecapsulate, m)
	if err != nil {
		return nil, err
	}
	return s.handle.Shared(ctx, g, driver.Auth{}, m, ciphertext)
}
