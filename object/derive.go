package object

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// CheckDerive returns the template for a key that is about to be derived
// (PKCS #11 v3.2 §5.18.5): t together with CKA_DERIVE_TEMPLATE of the base
// keys, of which from has what is known, the one that the operation began with
// first. Where templates say different things it returns
// ckr.TemplateInconsistent.
//
// Beyond the standard, unless the template of the base key allows it,
//
//   - a key derived of a sensitive secret key is sensitive, and one of an
//     unextractable one unextractable: ckr.TemplateInconsistent;
//   - a result that was encrypted by the base key is sensitive, and the base
//     key does nothing else with ciphertexts, or derivation would encrypt for
//     who may not: ckr.TemplateInconsistent;
//   - sensitive keys are not cut, joined by XOR, or used for HKDF data, which
//     shows them bit by bit or shows keys derived alike: ckr.MechanismInvalid,
//     ckr.MechanismParamInvalid.
//
// What a key agreement gives may be read if the template says so, for that is
// what it is mostly used for; it does not betray the private key, since other
// sides' points are checked first.
func CheckDerive(from []Template, t Template, m mechanism.Mechanism) (Template, error) {
	const op = "derive"
	var err error
	allowed := Template{}
	for _, base := range from {
		given, _ := In(base, AttrDeriveTemplate)
		if t, err = merge(op, given, t); err != nil {
			return nil, err
		}
		allowed = append(allowed, given...)
	}
	for _, base := range from {
		if err := tightens(op, base, t, allowed); err != nil {
			return nil, err
		}
	}
	return t, derivePolicy(op, from[0], t, allowed, m)
}

// tightens refuses a template that is weaker than a secret base key.
func tightens(op string, base, t, allowed Template) error {
	if class, _ := In(base, AttrClass); class != ClassSecretKey {
		return nil
	}
	switch {
	case Is(base, AttrSensitive) && off(t, AttrSensitive) && !off(allowed, AttrSensitive):
		return ckr.Newf(ckr.TemplateInconsistent, op, "the base key is sensitive")
	case off(base, AttrExtractable) && Is(t, AttrExtractable) && !Is(allowed, AttrExtractable):
		return ckr.Newf(ckr.TemplateInconsistent, op, "the base key is unextractable")
	}
	return nil
}

// derivePolicy has what follows from what a mechanism tells of the base key.
func derivePolicy(op string, base, t, allowed Template, m mechanism.Mechanism) error {
	sensitive := Is(base, AttrSensitive) || off(base, AttrExtractable)
	clear := off(t, AttrSensitive) && !off(allowed, AttrSensitive)
	switch mechanism.DisclosureOf(m) {
	case mechanism.DisclosesCiphertext:
		if clear || Is(base, AttrWrap) || Is(base, AttrUnwrap) || Is(base, AttrDecrypt) {
			return ckr.Newf(ckr.TemplateInconsistent, op, "%s would encrypt", m.Type())
		}
	case mechanism.DisclosesParts:
		if sensitive {
			return ckr.Newf(ckr.MechanismInvalid, op, "%s shows sensitive keys", m.Type())
		}
	case mechanism.DisclosesData:
		if sensitive {
			return ckr.Newf(ckr.MechanismParamInvalid, op, "data of a sensitive key could be a key of its own")
		}
	}
	return nil
}

// CheckEncapsulate returns the template for a key that is about to be
// encapsulated: t together with CKA_ENCAPSULATE_TEMPLATE of the public key.
// Where both say different things it returns ckr.TemplateInconsistent.
func CheckEncapsulate(public, t Template) (Template, error) {
	given, _ := In(public, AttrEncapsulateTemplate)
	return merge("encapsulate", given, t)
}

// CheckDecapsulate returns the template for a key that is about to be
// decapsulated: t together with CKA_DECAPSULATE_TEMPLATE of the private key.
// Where both say different things it returns ckr.TemplateInconsistent, and so
// it does, beyond the standard, for a key that anyone can read, unless that
// template allows it.
func CheckDecapsulate(private, t Template) (Template, error) {
	const op = "decapsulate"
	given, _ := In(private, AttrDecapsulateTemplate)
	t, err := merge(op, given, t)
	if err != nil {
		return nil, err
	}
	if Is(private, AttrSensitive) && off(t, AttrSensitive) && !off(given, AttrSensitive) {
		return nil, ckr.Newf(ckr.TemplateInconsistent, op, "decapsulated keys are sensitive")
	}
	return t, nil
}
