package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Encapsulate makes a secret key for the owner of a public key and returns it
// with the ciphertext that tells it (C_EncapsulateKey, PKCS #11 v3.2 §5.18)
// under g. Errors: those of DeriveKey.
func (s *Session) Encapsulate(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, t object.Template) (ciphertext []byte, key *object.Object, err error) {
	const op = "encapsulate key"
	public, ok := s.t.known(g.entry)
	if !ok {
		return nil, nil, ckr.New(ckr.KeyHandleInvalid, op, nil)
	}
	t, err = s.keyToBe(op, t, func(t object.Template) (object.Template, error) {
		return object.CheckEncapsulate(public, t)
	})
	if err != nil {
		return nil, nil, err
	}
	var secret []byte
	defer func() { clear(secret) }()
	err = s.use(ctx, Use{Grant: g, Op: op, Auth: a}, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		e, ok := b.(driver.Encapsulator)
		if !ok {
			return ckr.New(ckr.FunctionNotSupported, "", nil)
		}
		secret, ciphertext, err = e.Encapsulate(ctx, ref, m, a)
		return err
	}, func(k *soft.Material) (err error) {
		secret, ciphertext, err = soft.Encapsulate(k, m)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if key, err = s.makeSecret(ctx, op, t, secret); err != nil {
		return nil, nil, err
	}
	return ciphertext, key, nil
}

// Decapsulate makes the secret key that a ciphertext tells the owner of the
// private key (C_DecapsulateKey, PKCS #11 v3.2 §5.18) under g. A ciphertext
// that was altered makes another key. Errors: ckr.WrappedKeyLenRange, and
// those of DeriveKey.
func (s *Session) Decapsulate(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, ciphertext []byte, t object.Template) (*object.Object, error) {
	const op = "decapsulate key"
	private, ok := s.t.known(g.entry)
	if !ok {
		return nil, ckr.New(ckr.KeyHandleInvalid, op, nil)
	}
	t, err := s.keyToBe(op, t, func(t object.Template) (object.Template, error) {
		return object.CheckDecapsulate(private, t)
	})
	if err != nil {
		return nil, err
	}
	secret, err := s.Shared(ctx, g, a, m, ciphertext)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return s.makeSecret(ctx, op, t, secret)
}

// Shared returns the secret that a ciphertext tells the owner of the private
// key, for the caller to clear. It serves crypto.Decapsulator.
func (s *Session) Shared(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, ciphertext []byte) (secret []byte, err error) {
	err = s.use(ctx, Use{Grant: g, Op: "decapsulate", Auth: a}, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		d, ok := b.(driver.Decapsulator)
		if !ok {
			return ckr.New(ckr.FunctionNotSupported, "", nil)
		}
		secret, err = d.Decapsulate(ctx, ref, m, ciphertext, a)
		return err
	}, func(k *soft.Material) (err error) {
		secret, err = soft.Decapsulate(k, m, ciphertext)
		return err
	})
	if err != nil {
		clear(secret)
		return nil, err
	}
	return secret, nil
}
