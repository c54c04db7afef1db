package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// WrapKey returns a private or secret key encrypted by another (C_WrapKey,
// PKCS #11 v3.2 §5.18.3) under g. A key on the card is wrapped only if the
// card does it itself. Errors: those of object.CheckWrap, ckr.KeyNotWrappable
// also for a key under itself, ckr.KeyUnextractable, ckr.KeySizeRange,
// ckr.KeyHandleInvalid.
func (s *Session) WrapKey(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, o *object.Object) ([]byte, error) {
	const op = "wrap key"
	e, err := s.object(op, o, driver.Use)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrap(op, g.entry, e); err != nil {
		return nil, err
	}
	if e.onToken() {
		return s.wrapOnCard(ctx, op, g, a, m, e)
	}
	value, err := e.export(op)
	if err != nil {
		return nil, err
	}
	defer clear(value)
	var wrapped []byte
	err = s.use(ctx, Use{Grant: g, Op: op, Auth: a}, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		card, ok := b.(driver.Encrypter)
		if !ok {
			return ckr.New(ckr.FunctionNotSupported, "", nil)
		}
		if err := soft.CheckWrapping(m); err != nil {
			return err
		}
		wrapped, err = card.Encrypt(ctx, ref, m, value, a)
		return err
	}, func(wrapping *soft.Material) (err error) {
		wrapped, err = soft.Wrap(wrapping, m, value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return wrapped, nil
}

// mayWrap asks the policy about two keys.
func (s *Session) mayWrap(op string, wrapping, e *entry) error {
	switch class := e.obj.Class(); {
	case !isKey(class):
		return ckr.Newf(ckr.KeyHandleInvalid, op, "%v is no key", e.obj)
	case !secretClass(class):
		return ckr.Newf(ckr.KeyNotWrappable, op, "%v is no secret", e.obj)
	case wrapping == e:
		return ckr.Newf(ckr.KeyNotWrappable, op, "a key does not wrap itself")
	}
	outer, ok := s.t.known(wrapping)
	if !ok {
		return ckr.New(ckr.WrappingKeyHandleInvalid, op, nil)
	}
	inner, ok := s.t.known(e)
	if !ok {
		return ckr.New(ckr.KeyHandleInvalid, op, nil)
	}
	return codes.Wrap(op, object.CheckWrap(outer, inner))
}

func (s *Session) wrapOnCard(ctx context.Context, op string, g Grant, a driver.Auth, m mechanism.Mechanism, e *entry) (wrapped []byte, err error) {
	err = s.use(ctx, Use{Grant: g, Op: op, Auth: a}, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		w, ok := b.(driver.Wrapper)
		if !ok {
			return ckr.Newf(ckr.KeyUnextractable, "", "the key does not leave the card")
		}
		wrapped, err = w.Wrap(ctx, ref, m, e.ref, a)
		return err
	}, func(*soft.Material) error {
		return ckr.Newf(ckr.KeyUnextractable, "", "the key does not leave the card")
	})
	return wrapped, err
}

// UnwrapKey makes a key of what WrapKey returned (C_UnwrapKey, PKCS #11 v3.2
// §5.18.4) under g. The template names the class and the type of the key.
// Errors: those of object.CheckUnwrap, of the access table and of
// object.Complete, ckr.WrappedKeyInvalid for everything that is wrong with
// what was wrapped, but ckr.WrappedKeyLenRange if its length alone shows it.
func (s *Session) UnwrapKey(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, wrapped []byte, t object.Template) (*object.Object, error) {
	const op = "unwrap key"
	unwrapping, ok := s.t.known(g.entry)
	if !ok {
		return nil, ckr.New(ckr.UnwrappingKeyHandleInvalid, op, nil)
	}
	t, err := object.CheckUnwrap(unwrapping, t.Clone())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := s.mayMake(op, kindToBe(t)); err != nil {
		return nil, err
	}
	if t, err = object.Complete(object.Unwrapped, t, s.isSO()); err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := soft.CheckUnwrapping(m, t); err != nil {
		return nil, codes.Wrap(op, err)
	}
	var value []byte
	defer func() { clear(value) }()
	err = s.use(ctx, Use{Grant: g, Op: op, Auth: a}, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		value, err = unwrapOnCard(ctx, b, ref, m, wrapped, a)
		return err
	}, func(k *soft.Material) (err error) {
		value, err = soft.Unwrap(k, m, wrapped, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	values, err := soft.UnwrappedValues(t, value)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	defer values.Clear()
	all, err := object.Finish(t.With(values...))
	if err != nil {
		return nil, ckr.New(ckr.WrappedKeyInvalid, op, nil)
	}
	return s.make(ctx, op, all)
}

// unwrapOnCard lets the card decrypt; the key itself goes on to software or
// back to the card.
func unwrapOnCard(ctx context.Context, b driver.Backend, ref driver.Ref, m mechanism.Mechanism, wrapped []byte, a driver.Auth) ([]byte, error) {
	d, ok := b.(driver.Decrypter)
	if _, v15 := m.(mechanism.RSAPKCS); !ok || v15 {
		return nil, ckr.Newf(ckr.MechanismInvalid, "", "the card does not unwrap so")
	}
	value, err := d.Decrypt(ctx, ref, m, wrapped, a)
	switch ckr.Of(codes.Wrap("", err)) {
	case ckr.EncryptedDataInvalid:
		return nil, ckr.New(ckr.WrappedKeyInvalid, "", nil)
	case ckr.EncryptedDataLenRange:
		return nil, ckr.New(ckr.WrappedKeyLenRange, "", err)
	}
	return value, err
}
