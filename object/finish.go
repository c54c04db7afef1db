package object

import (
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Finish checks the value of a key or certificate against what else its
// template says, and returns the template with what follows from the value:
// CKA_MODULUS_BITS, CKA_VALUE_LEN, CKA_CHECK_VALUE, CKA_PUBLIC_KEY_INFO, the
// Chinese remainder parts of RSA keys, issuer and serial number of
// certificates. Values that the template does not have are not asked for.
//
// [Complete] does it for created objects; who generates, unwraps or derives a
// key calls Finish with the values that came out. The result shares the bytes
// of t.
//
// It returns ckr.AttributeValueInvalid for values that are no key or do not
// belong together, ckr.DomainParamsInvalid and ckr.CurveNotSupported for
// parameters of curves that are malformed or not named,
// ckr.ParameterSetNotSupported, and ckr.TemplateInconsistent for a length that is not that of the value.
func Finish(t Template) (Template, error) {
	class, _ := In(t, AttrClass)
	key, _ := In(t, AttrKeyType)
	switch class {
	case ClassCertificate:
		return finishCertificate(t)
	case ClassSecretKey:
		return finishSecret(key, t)
	case ClassPublicKey, ClassPrivateKey:
	default:
		return t, nil
	}
	var err error
	switch key {
	case KeyRSA:
		t, err = finishRSA(class, t)
	case KeyEC, KeyECEdwards, KeyECMontgomery:
		t, err = finishEC(class, key, t)
	default:
		err = checkLengths(class, key, t)
	}
	if err != nil {
		return nil, err
	}
	return finishInfo(class, t)
}

// finishInfo checks CKA_PUBLIC_KEY_INFO against the key, or fills it in.
func finishInfo(class Class, t Template) (Template, error) {
	info, err := publicKeyInfo(t)
	if err != nil {
		return nil, ckr.New(ckr.AttributeValueInvalid, AttrPublicKeyInfo.String(), err)
	}
	given, ok := t.Lookup(AttrPublicKeyInfo.Type)
	switch {
	case len(info) == 0: // no key of ours, or not enough of it
		return t, nil
	case !ok:
		return t.With(AttrPublicKeyInfo.Is(info)), nil
	case given.Len() == 0, subtle.ConstantTimeCompare(info, given.value) == 1:
		return t, nil
	}
	return nil, ckr.Newf(ckr.AttributeValueInvalid, AttrPublicKeyInfo.String(), "it is not that of the %s", class.words())
}

// invalid is an ckr.AttributeValueInvalid about one attribute.
func invalid(t Type, why string) error {
	return ckr.Newf(ckr.AttributeValueInvalid, t.String(), "%s", why)
}
