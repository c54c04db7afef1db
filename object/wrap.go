package object

import (
	"github.com/go-cryptoki/cryptoki/ckr"
)

// CheckWrap says whether one key may leave the token wrapped by another
// (PKCS #11 v3.2 §5.18.3), where both templates are what is known of the keys.
// It returns
//
//   - ckr.KeyUnextractable if the key is unextractable,
//   - ckr.KeyNotWrappable if it goes only under trusted keys and the other is
//     not one,
//   - ckr.KeyHandleInvalid if it does not match CKA_WRAP_TEMPLATE of the other.
//
// Beyond the standard, a sensitive key goes only under a key whose value
// nobody outside can know and that is strong enough: one that the token generated
// or that is trusted. Otherwise ckr.KeyNotWrappable is returned, as for a key
// under itself, which is the caller's to see.
func CheckWrap(wrapping, key Template) error {
	const op = "wrap"
	switch {
	case !Is(key, AttrExtractable):
		return ckr.New(ckr.KeyUnextractable, op, nil)
	case Is(key, AttrWrapWithTrusted) && !Is(wrapping, AttrTrusted):
		return ckr.Newf(ckr.KeyNotWrappable, op, "the wrapping key is not trusted")
	}
	if wanted, ok := In(wrapping, AttrWrapTemplate); ok && !key.Matches(wanted) {
		return ckr.Newf(ckr.KeyHandleInvalid, op, "the key does not match the template of the wrapping key")
	}
	if off(key, AttrSensitive) || Is(wrapping, AttrTrusted) {
		return nil
	}
	switch {
	case !Is(wrapping, AttrLocal):
		return ckr.Newf(ckr.KeyNotWrappable, op, "the wrapping key came from outside")
	case strength(wrapping) < needed(wrapping, key):
		return ckr.Newf(ckr.KeyNotWrappable, op, "the wrapping key is weaker")
	}
	return nil
}

// needed is the strength in bits that a wrapping key has to have: that of the
// key. Public keys as strong as RSA with 2048 bits wrap any, since hardly one
// is as strong as AES with 256 bits.
func needed(wrapping, key Template) int {
	const enough = 112
	if class, _ := In(wrapping, AttrClass); class == ClassPublicKey {
		return min(strength(key), enough)
	}
	return strength(key)
}

// strength estimates the security strength of a key in bits, SP 800-57 part 1
// §5.6.1. It is 0 for secrets of unknown use, which anything may wrap, and for
// keys that no one should wrap with.
func strength(t Template) int {
	key, _ := In(t, AttrKeyType)
	class, _ := In(t, AttrClass)
	switch {
	case key == KeyAES:
		length, _ := In(t, AttrValueLen)
		return int(min(length, 32)) * 8
	case key == KeyDES3:
		return 112
	case key == KeyDES2:
		return 80
	case key == KeyRSA:
		return rsaStrength(t)
	case key == KeyEC && class != ClassSecretKey:
		params, _ := In(t, AttrECParams)
		if curve, err := CurveOf(params); err == nil {
			return curve.Bytes * 4
		}
	case key == KeyECEdwards, key == KeyECMontgomery:
		return 128
	}
	return 0
}

func rsaStrength(t Template) int {
	n, ok := In(t, AttrModulus)
	if !ok {
		return 0
	}
	for _, row := range []struct{ bits, strength int }{{15360, 256}, {7680, 192}, {3072, 128}, {2048, 112}, {1024, 80}} {
		if n.BitLen() >= row.bits {
			return row.strength
		}
	}
	return 0
}

// CheckUnwrap returns the template for a key that is about to be unwrapped
// (PKCS #11 v3.2 §5.18.4): t together with CKA_UNWRAP_TEMPLATE of the
// unwrapping key. Where both say different things it returns
// ckr.TemplateInconsistent.
//
// Beyond the standard, what the unwrapping key's template does not allow is
// refused with the same code: a value that anyone can read, since the key may
// have been sensitive before it was wrapped, and the roles of wrapping and
// unwrapping, since a key that is unwrapped twice in two roles betrays what it
// wraps.
func CheckUnwrap(unwrapping, t Template) (Template, error) {
	allowed, _ := In(unwrapping, AttrUnwrapTemplate)
	merged, err := merge("unwrap", allowed, t)
	if err != nil {
		return nil, err
	}
	if off(merged, AttrSensitive) && !off(allowed, AttrSensitive) {
		return nil, ckr.Newf(ckr.TemplateInconsistent, "unwrap", "unwrapped keys are sensitive")
	}
	for _, a := range []Attr[bool]{AttrWrap, AttrUnwrap} {
		if Is(merged, a) && !Is(allowed, a) {
			return nil, ckr.Newf(ckr.TemplateInconsistent, "unwrap", "%s is for the unwrapping key to give", a)
		}
	}
	return merged, nil
}

func merge(op string, given, t Template) (Template, error) {
	for _, a := range given {
		if other, ok := t.Lookup(a.Type); ok && !other.Equal(a) {
			return nil, ckr.Newf(ckr.TemplateInconsistent, op, "%s is not what the key's template wants", a.Type)
		}
	}
	return t.Default(given...), nil
}

// Inherit gives a derived key what it takes from its base key: it was always
// sensitive, and never extractable, only if the base key was too.
func Inherit(derived, base Template) Template {
	return derived.With(
		AttrAlwaysSensitive.Is(Is(base, AttrAlwaysSensitive) && Is(derived, AttrSensitive)),
		AttrNeverExtractable.Is(Is(base, AttrNeverExtractable) && off(derived, AttrExtractable)))
}
