package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Encrypt encrypts data in one call (C_EncryptInit, C_Encrypt; PKCS #11 v3.2
// §5.8), with public keys and session keys in software, with secret keys of
// the card on it. Errors: as of Sign.
func (s *Session) Encrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object, data []byte) ([]byte, error) {
	g, err := s.seat.Grant(ctx, "encrypt", key, engine.ToEncrypt, m)
	if err != nil {
		return nil, err
	}
	if g.InSession() {
		return g.Compute("encrypt", soft.Encrypt, m, data)
	}
	return s.encrypt(ctx, g, driver.Auth{}, m, data)
}

func (s *Session) encrypt(ctx context.Context, g engine.Grant, a driver.Auth, m mechanism.Mechanism, data []byte) (out []byte, err error) {
	err = s.seat.Use(ctx, "encrypt", g, a,
		func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
			e, ok := b.(driver.Encrypter)
			if !ok {
				return ckr.New(ckr.FunctionNotSupported, "", nil)
			}
			out, err = e.Encrypt(ctx, ref, m, data, a)
			return err
		},
		func(k *soft.Material) (err error) {
			out, err = soft.Encrypt(k, m, data)
			return err
		})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Decrypt decrypts data in one call (C_DecryptInit, C_Decrypt; PKCS #11 v3.2
// §5.10). A key with CKA_ALWAYS_AUTHENTICATE needs NewDecrypt and Login.
// Errors: ckr.EncryptedDataInvalid, ckr.EncryptedDataLenRange, and those of
// Sign.
func (s *Session) Decrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object, data []byte) ([]byte, error) {
	g, err := s.seat.Grant(ctx, "decrypt", key, engine.ToDecrypt, m)
	if err != nil {
		return nil, err
	}
	if g.InSession() {
		return g.Compute("decrypt", soft.Decrypt, m, data)
	}
	return s.decrypt(ctx, g, driver.Auth{}, m, data)
}

func (s *Session) decrypt(ctx context.Context, g engine.Grant, a driver.Auth, m mechanism.Mechanism, data []byte) (out []byte, err error) {
	err = s.seat.Use(ctx, "decrypt", g, a,
		func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
			d, ok := b.(driver.Decrypter)
			if !ok {
				return ckr.New(ckr.FunctionNotSupported, "", nil)
			}
			out, err = d.Decrypt(ctx, ref, m, data, a)
			return err
		},
		func(k *soft.Material) (err error) {
			out, err = soft.Decrypt(k, m, data)
			return err
		})
	if err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}
