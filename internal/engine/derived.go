package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
)

// keyToBe checks and completes the template of a secret key whose value is yet
// to come, before anything is sent or computed. By default it is a generic
// secret. merge adds what other keys' templates want.
func (s *Session) keyToBe(op string, t object.Template, merge func(object.Template) (object.Template, error)) (object.Template, error) {
	if !t.Has(object.AttrClass.Type) {
		t = t.With(object.AttrClass.Is(object.ClassSecretKey))
	}
	if class, _ := object.In(t, object.AttrClass); class != object.ClassSecretKey {
		return nil, ckr.Newf(ckr.TemplateInconsistent, op, "what comes out is a secret key")
	}
	t, err := merge(t.Clone())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := s.mayMake(op, kindToBe(t)); err != nil {
		return nil, err
	}
	all, err := object.Complete(object.Derived, t, s.isSO())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if _, err := length(all); err != nil {
		return nil, codes.Wrap(op, err)
	}
	return all, nil
}

// kindToBe is the kind of a key whose template is not complete yet.
func kindToBe(t object.Template) Kind {
	onToken, _ := object.In(t, object.AttrToken)
	private, given := object.In(t, object.AttrPrivate)
	return kindOf(onToken, private || !given)
}

// length is how many bytes the key shall have: what the template says, or what
// its type has; 0 leaves it to the mechanism.
func length(t object.Template) (int, error) {
	n, given := object.In(t, object.AttrValueLen)
	if kt, _ := object.In(t, object.AttrKeyType); !given {
		fixed, _ := object.FixedLength(kt)
		return fixed, nil
	}
	if n == 0 || n > maxDerived {
		return 0, ckr.Newf(ckr.KeySizeRange, "", "a key of %d bytes", n)
	}
	return int(n), nil
}

// maxDerived bounds the length of a derived key in bytes.
const maxDerived = 1 << 16

// makeSecret makes a key of a completed template and its value, which the
// caller clears. Of where it comes from the key keeps whether it was always
// sensitive and never extractable.
func (s *Session) makeSecret(ctx context.Context, op string, t object.Template, secret []byte, from ...object.Template) (*object.Object, error) {
	kt, _ := object.In(t, object.AttrKeyType)
	object.SetParity(kt, secret)
	value := object.AttrValue.Is(secret)
	defer value.Clear()
	all, err := object.Finish(t.With(value))
	if ckr.Of(err) == ckr.AttributeValueInvalid {
		return nil, ckr.New(ckr.KeySizeRange, op, err)
	}
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	for _, base := range from {
		all = object.Inherit(all, base)
	}
	return s.make(ctx, op, all)
}

// dataToBe is keyToBe for a data object, of which CKA_VALUE_LEN says how long
// the value shall be. By default it is private.
func (s *Session) dataToBe(op string, t object.Template, merge func(object.Template) (object.Template, error)) (object.Template, error) {
	t = t.Clone().Default(object.AttrClass.Is(object.ClassData), object.AttrPrivate.Is(true))
	if class, _ := object.In(t, object.AttrClass); class != object.ClassData || t.Has(object.AttrValue.Type) {
		return nil, ckr.Newf(ckr.TemplateInconsistent, op, "what comes out is a data object")
	}
	t, err := merge(t)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := s.mayMake(op, kindToBe(t)); err != nil {
		return nil, err
	}
	if _, err := length(t); err != nil {
		return nil, codes.Wrap(op, err)
	}
	_, err = object.Complete(object.Created, t.Without(object.AttrValueLen.Type), s.isSO())
	return t, codes.Wrap(op, err)
}

// makeData makes a data object of a checked template and its value, which the
// caller clears.
func (s *Session) makeData(ctx context.Context, op string, t object.Template, data []byte) (*object.Object, error) {
	all, err := object.Complete(object.Created, t.Without(object.AttrValueLen.Type).With(object.AttrValue.Is(data)), s.isSO())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	return s.make(ctx, op, all)
}
