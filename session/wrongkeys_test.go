package session_test

import (
	"context"
	"crypto"
	"slices"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// verb is a function that takes a key: what it is called in the standard,
// mechanisms that go with some key, and the codes for a handle and a type that
// do not fit.
type verb struct {
	functions    []string
	mechanisms   []mechanism.Mechanism
	handle, kind ckr.Code
	call         func(ctx context.Context, s *session.Session, m mechanism.Mechanism, key *object.Object) error
}

func verbs(t *testing.T, s *session.Session) map[string]verb {
	iv := counted(16)
	symmetric := []mechanism.Mechanism{mechanism.AESCBC{IV: iv}, mechanism.AESGCM{IV: iv}, mechanism.ChaCha20Poly1305{Nonce: iv[:12]}}
	signs := []mechanism.Mechanism{
		mechanism.ECDSA{}, mechanism.EdDSA{}, mechanism.RSAPKCS{Hash: crypto.SHA256}, mechanism.HMAC{Hash: crypto.SHA256}, mechanism.AESCMAC{}, mechanism.MLDSA{},
		mechanism.HashMLDSA{Hash: crypto.SHA256}, mechanism.HashMLDSA{SHAKE: 256},
	}
	oaep := mechanism.RSAOAEP{Hash: crypto.SHA256}
	wraps := []mechanism.Mechanism{mechanism.AESKeyWrap{}, oaep, mechanism.RSAAESKeyWrap{KeyBits: 128, OAEP: oaep}, mechanism.ECDHAESKeyWrap{KeyBits: 128}}
	other := secretKey(t, s, object.KeyAES, counted(32), object.AttrSensitive.Is(false), object.AttrExtractable.Is(true))
	return map[string]verb{
		"sign": {[]string{"C_SignInit", "C_Sign"}, signs, ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Sign(ctx, m, k, counted(32))
				return err
			}},
		"verify": {[]string{"C_VerifyInit", "C_Verify"}, signs, ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				return s.Verify(ctx, m, k, counted(32), counted(64))
			}},
		"encrypt": {[]string{"C_EncryptInit", "C_Encrypt"}, append(symmetric, mechanism.RSAOAEP{Hash: crypto.SHA256}), ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Encrypt(ctx, m, k, counted(32))
				return err
			}},
		"decrypt": {[]string{"C_DecryptInit", "C_Decrypt"}, append(symmetric, mechanism.RSAOAEP{Hash: crypto.SHA256}), ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Decrypt(ctx, m, k, counted(32))
				return err
			}},
		"derive": {[]string{"C_DeriveKey"}, []mechanism.Mechanism{mechanism.HashDerive{Hash: crypto.SHA256}, mechanism.AESECBEncryptData{Data: iv}}, ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Derive(ctx, m, k)
				return err
			}},
		"wrap": {[]string{"C_WrapKey"}, wraps, ckr.WrappingKeyHandleInvalid, ckr.WrappingKeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Wrap(ctx, m, k, other)
				return err
			}},
		"unwrap": {[]string{"C_UnwrapKey"}, wraps, ckr.UnwrappingKeyHandleInvalid, ckr.UnwrappingKeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Unwrap(ctx, m, k, counted(40), object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES))
				return err
			}},
		"encapsulate": {[]string{"C_EncapsulateKey"}, []mechanism.Mechanism{mechanism.MLKEM{}}, ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, _, err := s.Encapsulate(ctx, m, k)
				return err
			}},
		"decapsulate": {[]string{"C_DecapsulateKey"}, []mechanism.Mechanism{mechanism.MLKEM{}}, ckr.UnwrappingKeyHandleInvalid, ckr.UnwrappingKeyTypeInconsistent,
			func(ctx context.Context, s *session.Session, m mechanism.Mechanism, k *object.Object) error {
				_, err := s.Decapsulate(ctx, m, k, counted(768))
				return err
			}},
	}
}

// keyring makes a key of each kind: one of which every use is on, as far as
// roles may meet, and one of which every use is off.
func keyring(t *testing.T, s *session.Session) (on, off map[string]*object.Object) {
	ctx := t.Context()
	on, off = map[string]*object.Object{}, map[string]*object.Object{}
	uses := map[object.Class][]object.Attr[bool]{
		object.ClassSecretKey:  {object.AttrEncrypt, object.AttrDecrypt, object.AttrSign, object.AttrVerify, object.AttrDerive},
		object.ClassPublicKey:  {object.AttrEncrypt, object.AttrVerify, object.AttrEncapsulate},
		object.ClassPrivateKey: {object.AttrDecrypt, object.AttrSign, object.AttrDerive, object.AttrUnwrap, object.AttrDecapsulate},
	}
	template := func(class object.Class, is bool) (t object.Template) {
		for _, u := range uses[class] {
			t = append(t, u.Is(is))
		}
		return t
	}
	ed, _ := object.CurveByName("Ed25519")
	for is, ring := range map[bool]map[string]*object.Object{true: on, false: off} {
		for name, kt := range map[string]object.KeyType{"AES": object.KeyAES, "generic": object.KeyGenericSecret, "ChaCha": object.KeyChaCha20} {
			more := template(object.ClassSecretKey, is)
			ring["secret "+name] = must(s.Create(ctx, append(more, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(kt), object.AttrValue.Is(counted(32)))...))(t)
		}
		wrapping := object.Template{object.AttrWrap.Is(is), object.AttrUnwrap.Is(is), object.AttrValueLen.Is(32), object.AttrEncrypt.Is(false)}
		ring["secret wrapping AES"] = must(s.GenerateKey(ctx, mechanism.AESKeyGen{}, wrapping...))(t)
		for name, gen := range map[string]struct {
			m    mechanism.Mechanism
			what object.Attribute
		}{
			"RSA": {mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)}, "EC": {mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p256)},
			"Ed25519": {mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(ed.Params())},
			"ML-KEM":  {mechanism.MLKEMKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLKEM512)},
			"ML-DSA":  {mechanism.MLDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLDSA44)},
		} {
			pub, priv, err := s.GenerateKeyPair(ctx, gen.m, append(template(object.ClassPublicKey, is), gen.what), template(object.ClassPrivateKey, is))
			noError(t, err)
			ring["public "+name], ring["private "+name] = pub, priv
		}
	}
	return on, off
}

// codesOf are the codes that the standard lists for functions. For keys whose
// use is off some lists lack the code that §5.1 has for it.
func codesOf(t *testing.T, functions []string) []string {
	codes := []string{"CKR_KEY_FUNCTION_NOT_PERMITTED"}
	for _, row := range must(spec.Rows("functions.tsv"))(t) {
		if slices.Contains(functions, row["function"]) {
			codes = append(codes, strings.Fields(row["return_codes_3.2"])...)
		}
	}
	return codes
}

// TestEveryFunctionWithEveryKey gives each kind of key to each function that
// takes one, with each mechanism.
func TestEveryFunctionWithEveryKey(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	on, off := keyring(t, s)
	noKey := must(s.Create(ctx, data(engine.PublicSession, "no key")...))(t)
	for name, v := range verbs(t, s) {
		listed := codesOf(t, v.functions)
		check := func(what string, err error, want ...ckr.Code) {
			t.Helper()
			got := ckr.Of(err)
			if err != nil && !slices.Contains(listed, got.Name()) {
				t.Errorf("%s: %s: %s is no code of %v", name, what, got.Name(), v.functions)
			}
			if len(want) > 0 && !slices.Contains(want, got) {
				t.Errorf("%s: %s: got %s (%v), want %v", name, what, got.Name(), err, want)
			}
		}
		for _, m := range v.mechanisms {
			check("no key", v.call(ctx, s, m, noKey), v.handle)
			check("no handle", v.call(ctx, s, m, nil), v.handle)
			worked := false
			for kind, key := range on {
				err := v.call(ctx, s, m, key)
				fits := !slices.Contains([]ckr.Code{v.kind, ckr.KeyFunctionNotPermitted}, ckr.Of(err))
				worked = worked || fits
				if fits {
					check(kind, err)
					check(kind+", not allowed", v.call(ctx, s, m, off[kind]), ckr.KeyFunctionNotPermitted)
					continue
				}
				check(kind, err, v.kind, ckr.KeyFunctionNotPermitted)
				check(kind+", not allowed", v.call(ctx, s, m, off[kind]), v.kind, ckr.KeyFunctionNotPermitted)
			}
			if !worked && name != "wrap" { // an RSA key that wraps does not encrypt
				t.Errorf("%s: nothing goes with %v", name, m.Type())
			}
		}
		for what, c := range map[string]struct {
			m    mechanism.Mechanism
			want ckr.Code
		}{
			"no mechanism": {nil, ckr.MechanismInvalid}, "a digest": {mechanism.Digest{Hash: crypto.SHA256}, ckr.MechanismInvalid},
			"unknown": {mechanism.Raw{T: 0x7777}, ckr.MechanismInvalid}, "a maker's": {mechanism.Raw{T: 0x80000009}, ckr.MechanismInvalid},
			"bad parameter": {mechanism.AESCBC{IV: counted(3)}, ckr.MechanismParamInvalid},
		} {
			for kind, key := range on {
				check(what+", "+kind, v.call(ctx, s, c.m, key), c.want)
			}
		}
	}
}
