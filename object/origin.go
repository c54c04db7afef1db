package object

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// Origin says how an object comes to be. Templates have other rules for each.
type Origin int

// The origins of objects.
const (
	Created          Origin = iota // by C_CreateObject, from given values
	Generated                      // a secret key, by C_GenerateKey
	GeneratedPublic                // the public key of C_GenerateKeyPair
	GeneratedPrivate               // its private key
	Unwrapped                      // by C_UnwrapKey
	Derived                        // by C_DeriveKey, and agreed on by encapsulation
)

var originNames = [...]string{"create", "generate", "generate public key", "generate private key", "unwrap", "derive"}

func (o Origin) String() string {
	if o < 0 || int(o) >= len(originNames) {
		return "unknown origin"
	}
	return originNames[o]
}

// generated reports whether the token makes the value.
func (o Origin) generated() bool {
	return o == Generated || o == GeneratedPublic || o == GeneratedPrivate
}

// notes returns the footnotes that a template of this origin must heed.
func (o Origin) notes() (must, not Footnote) {
	switch {
	case o == Created:
		return MustCreate, NotCreate
	case o.generated():
		return MustGenerate, NotGenerate
	}
	return MustUnwrap, NotUnwrap
}

// class returns the class that the origin implies.
func (o Origin) class() (Class, bool) {
	switch o {
	case Generated, Derived:
		return ClassSecretKey, true
	case GeneratedPublic:
		return ClassPublicKey, true
	case GeneratedPrivate:
		return ClassPrivateKey, true
	}
	return 0, false
}

// keyTypes has the key types that generating mechanisms make.
var keyTypes = map[mechanism.Type]KeyType{
	mechanism.TypeRSAPKCSKeyPairGen:      KeyRSA,
	mechanism.TypeRSAX9_31KeyPairGen:     KeyRSA,
	mechanism.TypeDSAKeyPairGen:          KeyDSA,
	mechanism.TypeDHPKCSKeyPairGen:       KeyDH,
	mechanism.TypeX9_42DHKeyPairGen:      KeyX9_42DH,
	mechanism.TypeECKeyPairGen:           KeyEC,
	mechanism.TypeECKeyPairGenWExtraBits: KeyEC,
	mechanism.TypeECEdwardsKeyPairGen:    KeyECEdwards,
	mechanism.TypeECMontgomeryKeyPairGen: KeyECMontgomery,
	mechanism.TypeMLDSAKeyPairGen:        KeyMLDSA,
	mechanism.TypeMLKEMKeyPairGen:        KeyMLKEM,
	mechanism.TypeSLHDSAKeyPairGen:       KeySLHDSA,
	mechanism.TypeHSSKeyPairGen:          KeyHSS,
	mechanism.TypeXMSSKeyPairGen:         KeyXMSS,
	mechanism.TypeXMSSMTKeyPairGen:       KeyXMSSMT,
	mechanism.TypeAESKeyGen:              KeyAES,
	mechanism.TypeAESXTSKeyGen:           KeyAESXTS,
	mechanism.TypeDESKeyGen:              KeyDES,
	mechanism.TypeDES2KeyGen:             KeyDES2,
	mechanism.TypeDES3KeyGen:             KeyDES3,
	mechanism.TypeChaCha20KeyGen:         KeyChaCha20,
	mechanism.TypePoly1305KeyGen:         KeyPoly1305,
	mechanism.TypeHKDFKeyGen:             KeyHKDF,
	mechanism.TypeGenericSecretKeyGen:    KeyGenericSecret,
	mechanism.TypeSHA1KeyGen:             KeySHA1HMAC,
	mechanism.TypeSHA224KeyGen:           KeySHA224HMAC,
	mechanism.TypeSHA256KeyGen:           KeySHA256HMAC,
	mechanism.TypeSHA384KeyGen:           KeySHA384HMAC,
	mechanism.TypeSHA512KeyGen:           KeySHA512HMAC,
	mechanism.TypeSHA512_224KeyGen:       KeySHA512_224HMAC,
	mechanism.TypeSHA512_256KeyGen:       KeySHA512_256HMAC,
	mechanism.TypeSHA3_224KeyGen:         KeySHA3_224HMAC,
	mechanism.TypeSHA3_256KeyGen:         KeySHA3_256HMAC,
	mechanism.TypeSHA3_384KeyGen:         KeySHA3_384HMAC,
	mechanism.TypeSHA3_512KeyGen:         KeySHA3_512HMAC,
}

// Imply returns a template with the class and the key type that a generating
// mechanism implies, so that callers need not give them. A template that says
// otherwise is ckr.TemplateInconsistent. Mechanisms that imply nothing leave
// the key type to the template.
func Imply(o Origin, t Template, m mechanism.Type) (Template, error) {
	if class, ok := o.class(); ok {
		if given, has := In(t, AttrClass); has && given != class {
			return nil, ckr.Newf(ckr.TemplateInconsistent, o.String(), "class %s", given)
		}
		t = t.Default(AttrClass.Is(class))
	}
	if key, ok := keyTypes[m]; ok {
		if given, has := In(t, AttrKeyType); has && given != key {
			return nil, ckr.Newf(ckr.TemplateInconsistent, o.String(), "%s does not make %s", m, given)
		}
		t = t.Default(AttrKeyType.Is(key))
	}
	return t, nil
}
