package engine

import (
	"context"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// DeriveKey makes a secret key from a base key (C_DeriveKey, PKCS #11 v3.2
// §5.18.5) under g. Without CKA_VALUE_LEN the key is as long as what the
// mechanism gives; where a shared secret is longer, the key takes its trailing
// bytes, as §6.3 has it for ECDH. CKA_ALWAYS_SENSITIVE and
// CKA_NEVER_EXTRACTABLE need the base key's. Errors: those of
// object.CheckDerive, of the access table and of object.Complete,
// ckr.KeySizeRange, ckr.MechanismParamInvalid.
func (s *Session) DeriveKey(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, t object.Template) (*object.Object, error) {
	const op = "derive key"
	m = mechanism.Resolve(m)
	from, others, err := s.bases(op, g, m)
	if err != nil {
		return nil, err
	}
	defer clearAll(others)
	toBe := s.keyToBe
	if isData(m) {
		toBe = s.dataToBe
	}
	t, err = toBe(op, t, func(t object.Template) (object.Template, error) {
		return object.CheckDerive(from, t, m)
	})
	if err != nil {
		return nil, err
	}
	n, _ := length(t)
	var secret []byte
	defer func() { clear(secret) }()
	err = s.use(ctx, Use{Grant: g, Op: op, Auth: a}, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		secret, err = deriveOnCard(ctx, b, ref, m, a, n)
		return err
	}, func(key *soft.Material) (err error) {
		secret, err = soft.DeriveLength(key, m, n, others...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if isData(m) {
		return s.makeData(ctx, op, t, secret)
	}
	return s.makeSecret(ctx, op, t, secret, from...)
}

// DeriveKeys makes several secret keys of one derivation, of which each takes
// its part in order (CK_SP800_108_KDF_PARAMS with additional keys, PKCS #11
// v3.2 §6). Each template says how long its key is. All keys are made, or
// none. Errors: those of DeriveKey, ckr.MechanismInvalid for mechanisms other
// than mechanism.KBKDF, ckr.TemplateIncomplete without CKA_VALUE_LEN.
func (s *Session) DeriveKeys(ctx context.Context, g Grant, a driver.Auth, m mechanism.Mechanism, templates ...object.Template) (keys []*object.Object, err error) {
	const op = "derive keys"
	m = mechanism.Resolve(m)
	if _, ok := m.(mechanism.KBKDF); !ok || len(templates) == 0 {
		return nil, ckr.Newf(ckr.MechanismInvalid, op, "only SP 800-108 makes several keys")
	}
	from, others, err := s.bases(op, g, m)
	if err != nil {
		return nil, err
	}
	defer clearAll(others)
	total, lengths, completed := 0, make([]int, len(templates)), make([]object.Template, len(templates))
	for i, t := range templates {
		completed[i], err = s.keyToBe(op, t, func(t object.Template) (object.Template, error) { return object.CheckDerive(from, t, m) })
		if err != nil {
			return nil, err
		}
		if lengths[i], _ = length(completed[i]); lengths[i] == 0 {
			return nil, ckr.New(ckr.TemplateIncomplete, op, nil)
		}
		total += lengths[i]
	}
	var secret []byte
	defer func() { clear(secret) }()
	err = s.use(ctx, Use{Grant: g, Op: op, Auth: a},
		func(context.Context, driver.Backend, driver.Ref) error {
			return ckr.New(ckr.FunctionNotSupported, "", nil)
		},
		func(key *soft.Material) (err error) {
			secret, err = soft.DeriveLength(key, m, total, others...)
			return err
		})
	if err != nil {
		return nil, err
	}
	rest := secret
	for i, t := range completed {
		key, err := s.makeSecret(ctx, op, t, rest[:lengths[i]], from...)
		if err != nil {
			ctx, done := driver.CleanupContext(ctx)
			defer done()
			for _, made := range keys {
				s.Destroy(ctx, made)
			}
			return nil, err
		}
		keys, rest = append(keys, key), rest[lengths[i]:]
	}
	return keys, nil
}

// isData reports whether what is derived is no key.
func isData(m mechanism.Mechanism) bool {
	hkdf, ok := m.(mechanism.HKDF)
	return ok && hkdf.ToData
}

// bases returns what is known of the base key and of the keys that the
// mechanism names beside it, and the values of those, for the caller to clear.
// They need CKA_DERIVE as the base key does.
func (s *Session) bases(op string, g Grant, m mechanism.Mechanism) (known []object.Template, values [][]byte, err error) {
	base, ok := s.t.known(g.entry)
	if !ok {
		return nil, nil, ckr.New(ckr.KeyHandleInvalid, op, nil)
	}
	known = append(known, base)
	for _, ref := range mechanism.Keys(m) {
		other, _ := ref.(*object.Object)
		e, err := s.object(op, other, driver.Use)
		if err == nil {
			base, ok = s.t.known(e)
			err = mayDeriveFrom(op, e, base, ok, m.Type())
		}
		var value []byte
		if err == nil {
			value, err = e.export(op)
		}
		if err != nil {
			clearAll(values)
			return nil, nil, err
		}
		known, values = append(known, base), append(values, value)
	}
	return known, values, nil
}

func mayDeriveFrom(op string, e *entry, all object.Template, known bool, m mechanism.Type) error {
	only, limited := object.In(all, object.AttrAllowedMechanisms)
	switch {
	case !known || !isKey(e.obj.Class()):
		return ckr.New(ckr.KeyHandleInvalid, op, nil)
	case e.obj.Class() != object.ClassSecretKey:
		return ckr.Newf(ckr.KeyTypeInconsistent, op, "%v is no secret key", e.obj)
	case !object.Is(all, object.AttrDerive):
		return ckr.Newf(ckr.KeyFunctionNotPermitted, op, "%v is false", object.AttrDerive)
	case limited && len(only) > 0 && !slices.Contains(only, m):
		return ckr.Newf(ckr.MechanismInvalid, op, "%v is not among the allowed mechanisms of %v", m, e.obj)
	case object.Is(all, object.AttrAlwaysAuthenticate):
		return ckr.Newf(ckr.UserNotLoggedIn, op, "each use of %v needs the user's PIN", e.obj)
	}
	return nil
}

// export returns a copy of what a session key is when it is wrapped, for the
// caller to clear. What is on the card does not come out of it.
func (e *entry) export(op string) ([]byte, error) {
	if e.onToken() {
		return nil, ckr.Newf(ckr.KeyUnextractable, op, "the key does not leave the card")
	}
	e.using.RLock()
	defer e.using.RUnlock()
	value, err := soft.Export(e.key)
	return value, codes.Wrap(op, err)
}

func clearAll(values [][]byte) {
	for _, v := range values {
		clear(v)
	}
}

func deriveOnCard(ctx context.Context, b driver.Backend, ref driver.Ref, m mechanism.Mechanism, a driver.Auth, n int) ([]byte, error) {
	d, ok := b.(driver.Deriver)
	ecdh, isECDH := m.(mechanism.ECDH)
	if !ok || !isECDH {
		return nil, ckr.New(ckr.FunctionNotSupported, "", nil)
	}
	shared, err := d.Derive(ctx, ref, m, a)
	if err != nil {
		return nil, err
	}
	defer clear(shared)
	return soft.Stretch(ecdh, shared, n)
}
