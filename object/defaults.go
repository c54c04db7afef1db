package object

import (
	"math/big"
	"slices"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// defaultExponent is the public exponent of RSA keys whose template gives
// none, PKCS #11 v3.2 §6.1.
const defaultExponent = 65537

// defaults fills in what the template leaves open.
func (o Origin) defaults(t Template) Template {
	class, _ := In(t, AttrClass)
	secret := class == ClassPrivateKey || class == ClassSecretKey || class == ClassOTPKey
	t = t.fill(
		AttrToken.Is(false), AttrPrivate.Is(secret), AttrLabel.Is(""),
		AttrModifiable.Is(true), AttrCopyable.Is(true), AttrDestroyable.Is(true))
	switch class {
	case ClassData:
		return t.fill(AttrApplication.Is(""), AttrObjectID.Is(nil), AttrValue.Is(nil))
	case ClassCertificate:
		return certificateDefaults(t)
	case ClassTrust:
		return trustDefaults(t)
	case ClassPublicKey, ClassPrivateKey, ClassSecretKey:
		return o.keyDefaults(class, t)
	}
	return t
}

// keyDefaults fills in what keys have. An exponent belongs to a template that
// generates RSA keys.
func (o Origin) keyDefaults(class Class, t Template) Template {
	key, _ := In(t, AttrKeyType)
	t = uses(class, key, t)
	t = t.fill(AttrID.Is(nil), AttrStartDate.Is(Date{}), AttrEndDate.Is(Date{}))
	t = t.With(AttrLocal.Is(o.generated()), AttrKeyGenMechanism.Is(mechanism.Unavailable))
	if class == ClassPublicKey {
		if o == GeneratedPublic && key == KeyRSA {
			t = t.fill(AttrPublicExponent.Is(big.NewInt(defaultExponent)))
		}
		return t.fill(AttrSubject.Is(nil), AttrTrusted.Is(false))
	}
	t = t.fill(AttrSensitive.Is(true), AttrExtractable.Is(o == Unwrapped), AttrWrapWithTrusted.Is(false))
	if class == ClassPrivateKey {
		t = t.fill(AttrSubject.Is(nil), AttrAlwaysAuthenticate.Is(false))
	} else {
		t = t.fill(AttrTrusted.Is(false))
	}
	return t.With(
		AttrAlwaysSensitive.Is(o.generated() && Is(t, AttrSensitive)),
		AttrNeverExtractable.Is(o.generated() && !Is(t, AttrExtractable)))
}

// usesOf has the attributes that say what a key may be used for.
var usesOf = map[Class][]Attr[bool]{
	ClassPublicKey:  {AttrEncrypt, AttrVerify, AttrVerifyRecover, AttrWrap, AttrDerive, AttrEncapsulate},
	ClassPrivateKey: {AttrDecrypt, AttrSign, AttrSignRecover, AttrUnwrap, AttrDerive, AttrDecapsulate},
	ClassSecretKey:  {AttrEncrypt, AttrDecrypt, AttrSign, AttrVerify, AttrWrap, AttrUnwrap, AttrDerive},
}

// usual has the uses of a key whose template names none. The zero KeyType
// list is for types that are not listed.
var usual = []struct {
	class Class
	keys  []KeyType
	uses  []Attr[bool]
}{
	{ClassPublicKey, []KeyType{KeyRSA}, []Attr[bool]{AttrVerify, AttrEncrypt}},
	{ClassPublicKey, []KeyType{KeyECMontgomery, KeyDH, KeyX9_42DH}, nil},
	{ClassPublicKey, []KeyType{KeyMLKEM}, []Attr[bool]{AttrEncapsulate}},
	{ClassPublicKey, nil, []Attr[bool]{AttrVerify}},
	{ClassPrivateKey, []KeyType{KeyRSA}, []Attr[bool]{AttrSign, AttrDecrypt}},
	{ClassPrivateKey, []KeyType{KeyEC}, []Attr[bool]{AttrSign, AttrDerive}},
	{ClassPrivateKey, []KeyType{KeyECMontgomery, KeyDH, KeyX9_42DH}, []Attr[bool]{AttrDerive}},
	{ClassPrivateKey, []KeyType{KeyMLKEM}, []Attr[bool]{AttrDecapsulate}},
	{ClassPrivateKey, nil, []Attr[bool]{AttrSign}},
	{ClassSecretKey, []KeyType{KeyHKDF}, []Attr[bool]{AttrDerive}},
	{ClassSecretKey, append([]KeyType{KeyPoly1305}, macKeys...), []Attr[bool]{AttrSign, AttrVerify}},
	{ClassSecretKey, nil, []Attr[bool]{AttrEncrypt, AttrDecrypt}},
}

// macKeys are the types of keys that have no use but message authentication.
var macKeys = []KeyType{
	KeyGenericSecret, KeyMD5HMAC, KeySHA1HMAC, KeySHA224HMAC, KeySHA256HMAC, KeySHA384HMAC, KeySHA512HMAC,
	KeySHA512_224HMAC, KeySHA512_256HMAC, KeySHA512THMAC, KeySHA3_224HMAC, KeySHA3_256HMAC, KeySHA3_384HMAC,
	KeySHA3_512HMAC, KeyRIPEMD128HMAC, KeyRIPEMD160HMAC, KeyBLAKE2B160HMAC, KeyBLAKE2B256HMAC, KeyBLAKE2B384HMAC,
	KeyBLAKE2B512HMAC,
}

// uses fills in the uses that the template does not name.
func uses(class Class, key KeyType, t Template) Template {
	flags := usesOf[class]
	named := slices.ContainsFunc(flags, func(a Attr[bool]) bool { return t.Has(a.Type) })
	if !named {
		for _, row := range usual {
			if row.class == class && (row.keys == nil || slices.Contains(row.keys, key)) {
				for _, use := range row.uses {
					t = t.With(use.Is(true))
				}
				break
			}
		}
	}
	for _, a := range flags {
		t = t.fill(a.Is(false))
	}
	return t
}
