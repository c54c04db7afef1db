package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Wrap returns a private or secret key encrypted by another (C_WrapKey, PKCS
// #11 v3.2 §5.18.3). A key on the card is wrapped only if the card does it
// itself. Errors: those of the wrapping rules, ckr.KeyNotWrappable also for a
// key under itself, ckr.KeyUnextractable, ckr.KeySizeRange,
// ckr.KeyHandleInvalid.
func (s *Session) Wrap(ctx context.Context, m mechanism.Mechanism, wrapping, key *object.Object) ([]byte, error) {
	g, err := s.grantKey(ctx, engine.ToWrap, wrapping, m)
	if err != nil {
		return nil, err
	}
	return s.handle.WrapKey(ctx, g, driver.Auth{}, m, key)
}

// Unwrap makes a key of what Wrap returned (C_UnwrapKey, PKCS #11 v3.2
// §5.18.4). The template names the class and the type of the key. Errors: those
// of the unwrapping rules, of the access table and of the template rules,
// ckr.WrappedKeyInvalid for everything that is wrong with what was wrapped, but
// ckr.WrappedKeyLenRange if its length alone shows it.
func (s *Session) Unwrap(ctx context.Context, m mechanism.Mechanism, unwrapping *object.Object, wrapped []byte, template ...object.Attribute) (*object.Object, error) {
	g, err := s.grantKey(ctx, engine.ToUnwrap, unwrapping, m)
	if err != nil {
		return nil, err
	}
	return s.handle.UnwrapKey(ctx, g, driver.Auth{}, m, wrapped, template)
}

// WrapAuthenticated is Wrap with associated data that is authenticated, too
// (C_WrapKeyAuthenticated). The mechanism is GCM or CCM; its own AAD is empty.
// Errors: ckr.MechanismInvalid for others, ckr.ArgumentsBad, those of Wrap.
func (s *Session) WrapAuthenticated(ctx context.Context, m mechanism.Mechanism, wrapping, key *object.Object, data []byte) ([]byte, error) {
	m, err := associate("wrap key", m, data)
	if err != nil {
		return nil, err
	}
	return s.Wrap(ctx, m, wrapping, key)
}

// UnwrapAuthenticated is Unwrap for what WrapAuthenticated returned
// (C_UnwrapKeyAuthenticated). Errors: as of WrapAuthenticated and Unwrap.
func (s *Session) UnwrapAuthenticated(ctx context.Context, m mechanism.Mechanism, unwrapping *object.Object, wrapped, data []byte, template ...object.Attribute) (*object.Object, error) {
	m, err := associate("unwrap key", m, data)
	if err != nil {
		return nil, err
	}
	return s.Unwrap(ctx, m, unwrapping, wrapped, template...)
}

// associate puts associated data into a mechanism.
func associate(op string, m mechanism.Mechanism, data []byte) (mechanism.Mechanism, error) {
	if mechanism.Resolve(m) == nil {
		return nil, codes.Wrap(op, mechanism.Check(nil))
	}
	out, own, ok := mechanism.Associate(m, data)
	if !ok {
		return nil, ckr.Newf(ckr.MechanismInvalid, op, "%v has no associated data", m.Type())
	}
	if len(own) > 0 {
		return nil, ckr.Newf(ckr.ArgumentsBad, op, "associated data is given twice")
	}
	return out, nil
}
