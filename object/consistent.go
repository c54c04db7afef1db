package object

import "github.com/go-cryptoki/cryptoki/ckr"

// consistent refuses attributes that do not go together with
// ckr.TemplateInconsistent.
//
// Beyond the standard it refuses secret keys that both wrap and decrypt, or
// both encrypt and unwrap: with the first, wrapping a key and decrypting the
// result shows any key of the token; with the second, a known value becomes a
// key of the token (Clulow 2003; Bortolozzo et al. 2010). Generic secrets may
// have all four, as programs give them that derive such keys: no mechanism
// encrypts or wraps with them.
func consistent(t Template) error {
	class, _ := In(t, AttrClass)
	key, _ := In(t, AttrKeyType)
	cipher := class == ClassSecretKey && key != KeyGenericSecret
	for _, rule := range []struct {
		broken bool
		why    string
	}{
		{Is(t, AttrAlwaysAuthenticate) && off(t, AttrPrivate), "CKA_ALWAYS_AUTHENTICATE needs CKA_PRIVATE"},
		{cipher && Is(t, AttrWrap) && Is(t, AttrDecrypt), "a key must not both wrap and decrypt"},
		{cipher && Is(t, AttrEncrypt) && Is(t, AttrUnwrap), "a key must not both encrypt and unwrap"},
		{Is(t, AttrAlwaysSensitive) && off(t, AttrSensitive), "CKA_ALWAYS_SENSITIVE without CKA_SENSITIVE"},
		{Is(t, AttrNeverExtractable) && Is(t, AttrExtractable), "CKA_NEVER_EXTRACTABLE with CKA_EXTRACTABLE"},
		{class == ClassPrivateKey && key.stateful() && (off(t, AttrSensitive) || Is(t, AttrExtractable)), "keys with a state are sensitive and unextractable"},
	} {
		if rule.broken {
			return ckr.Newf(ckr.TemplateInconsistent, "template", "%s", rule.why)
		}
	}
	return nil
}

// stateful reports whether each signature of a key uses part of it up, so
// that a second copy would be fatal.
func (k KeyType) stateful() bool { return k == KeyHSS || k == KeyXMSS || k == KeyXMSSMT }

// off reports whether a template has an attribute that is false; what a card
// does not tell contradicts nothing.
func off(t Template, a Attr[bool]) bool {
	v, ok := In(t, a)
	return ok && !v
}

// CheckPair refuses a public and a private template that are no pair, with
// ckr.TemplateInconsistent: key types that differ, and, beyond the standard, a
// public key that wraps whose private key decrypts or, on a curve, agrees on
// keys, which shows what was wrapped.
func CheckPair(public, private Template) error {
	a, oneTold := In(public, AttrKeyType)
	b, otherTold := In(private, AttrKeyType)
	if oneTold && otherTold && a != b {
		return ckr.Newf(ckr.TemplateInconsistent, "key pair", "%s and %s", a, b)
	}
	if Is(public, AttrWrap) && Is(private, AttrDecrypt) {
		return ckr.Newf(ckr.TemplateInconsistent, "key pair", "the public key wraps and the private key decrypts")
	}
	curve := a == KeyEC || a == KeyECMontgomery
	if curve && Is(public, AttrWrap) && Is(private, AttrDerive) {
		return ckr.Newf(ckr.TemplateInconsistent, "key pair", "the public key wraps and the private key derives")
	}
	return nil
}
