package session_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// TestKeysOfEveryKindTravel wraps and unwraps keys, which then do what they
// did before.
func TestKeysOfEveryKindTravel(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	s := a.s
	ed, _ := object.CurveByName("Ed25519")
	e448, _ := object.CurveByName("Ed448")
	wrapper := a.wrapper()
	for name, c := range map[string]struct {
		gen  mechanism.Mechanism
		what object.Attribute
		kt   object.KeyType
		sign mechanism.Mechanism
	}{
		"RSA":     {mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048), object.KeyRSA, mechanism.RSAPSS{Hash: crypto.SHA256}},
		"EC":      {mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p256), object.KeyEC, mechanism.ECDSA{Hash: crypto.SHA256}},
		"Ed25519": {mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(ed.Params()), object.KeyECEdwards, mechanism.EdDSA{}},
		"Ed448":   {mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(e448.Params()), object.KeyECEdwards, mechanism.EdDSA{}},
		"ML-DSA":  {mechanism.MLDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLDSA44), object.KeyMLDSA, mechanism.MLDSA{}},
		"SLH-DSA": {mechanism.SLHDSAKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetSLHDSASHA2_128F), object.KeySLHDSA, mechanism.SLHDSA{}},
	} {
		pub, priv, err := s.GenerateKeyPair(ctx, c.gen, object.Template{c.what}, object.Template{object.AttrExtractable.Is(true), object.AttrSensitive.Is(true), object.AttrSign.Is(true)})
		noError(t, err)
		for _, m := range []mechanism.Mechanism{mechanism.AESKeyWrap{}, mechanism.AESKeyWrapKWP{}, mechanism.AESGCM{IV: counted(12)}, mechanism.AESCCM{Nonce: counted(12)}} {
			blob, err := s.Wrap(ctx, m, wrapper, priv)
			noError(t, err)
			again, err := s.Unwrap(ctx, m, wrapper, blob, object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(c.kt), object.AttrSign.Is(true))
			noError(t, err)
			sig := must(s.Sign(ctx, c.sign, again, []byte("message")))(t)
			if err := s.Verify(ctx, c.sign, pub, []byte("message"), sig); err != nil {
				t.Errorf("%s by %v: %v", name, m.Type(), err)
			}
			if must(object.Get(ctx, again, object.AttrLocal))(t) || must(object.Get(ctx, again, object.AttrNeverExtractable))(t) {
				t.Errorf("%s by %v: the key seems to be of the token's own making", name, m.Type())
			}
			_, err = s.Unwrap(ctx, m, wrapper, blob, object.AttrClass.Is(object.ClassPrivateKey), object.AttrKeyType.Is(object.KeyDSA))
			isCode(t, err, ckr.WrappedKeyInvalid)
		}
	}
}

// TestKeyWrapExtendsKeysByZeros wraps secrets of lengths that AES key wrap does
// not take, and looks what of the template takes the zeros off again.
func TestKeyWrapExtendsKeysByZeros(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	w := a.wrapper()
	unwrap := func(blob []byte, length uint64) (*object.Object, error) {
		template := object.Template{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrSign.Is(true)}
		if length > 0 {
			template = template.With(object.AttrValueLen.Is(length))
		}
		return a.s.Unwrap(ctx, mechanism.AESKeyWrap{}, w, blob, template...)
	}
	code := func(o *object.Object) string {
		return string(must(a.s.Sign(ctx, mechanism.HMAC{Hash: crypto.SHA256}, o, []byte("m")))(t))
	}
	for n := uint64(9); n <= 40; n++ {
		k := must(a.s.GenerateKey(ctx, mechanism.GenericSecretKeyGen{}, object.AttrValueLen.Is(n), object.AttrSign.Is(true), object.AttrExtractable.Is(true)))(t)
		blob := must(a.s.Wrap(ctx, mechanism.AESKeyWrap{}, w, k))(t)
		padded := (n + 7) / 8 * 8
		if got := uint64(len(blob)); got != padded+8 {
			t.Errorf("%d bytes are %d when they are wrapped", n, got)
		}
		whole := must(unwrap(blob, n))(t)
		if code(whole) != code(k) || must(object.Get(ctx, whole, object.AttrValueLen))(t) != n {
			t.Errorf("%d bytes: another key", n)
		}
		if all := must(unwrap(blob, 0))(t); must(object.Get(ctx, all, object.AttrValueLen))(t) != padded {
			t.Errorf("%d bytes: without a length the zeros are part of the key", n)
		}
		for _, wrong := range []uint64{1, padded - 8, padded + 1, 1 << 16} {
			_, err := unwrap(blob, wrong)
			isCode(t, err, ckr.WrappedKeyLenRange)
		}
	}
	short := must(a.s.GenerateKey(ctx, mechanism.GenericSecretKeyGen{}, object.AttrValueLen.Is(8), object.AttrExtractable.Is(true)))(t)
	_, err := a.s.Wrap(ctx, mechanism.AESKeyWrap{}, w, short)
	isCode(t, err, ckr.KeySizeRange)
	full := must(a.s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValue.Is(bytes.Repeat([]byte{1}, 32)), object.AttrExtractable.Is(true)))(t)
	blob := must(a.s.Wrap(ctx, mechanism.AESKeyWrap{}, w, full))(t)
	for n := uint64(24); n < 32; n++ { // what follows is no padding
		_, err := unwrap(blob, n)
		isCode(t, err, ckr.WrappedKeyLenRange)
	}
}

// TestWrappingWithAssociatedData binds a key to data.
func TestWrappingWithAssociatedData(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	w, k := a.wrapper(), a.aes()
	gcm := mechanism.AESGCM{IV: counted(12)}
	blob := must(a.s.WrapAuthenticated(ctx, gcm, w, k, []byte("for you")))(t)
	unwrap := func(data string) error {
		_, err := a.s.UnwrapAuthenticated(ctx, gcm, w, blob, []byte(data), object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES))
		return err
	}
	noError(t, unwrap("for you"))
	isCode(t, unwrap("for me"), ckr.WrappedKeyInvalid)
	_, err := a.s.WrapAuthenticated(ctx, mechanism.AESKeyWrap{}, w, k, []byte("x"))
	isCode(t, err, ckr.MechanismInvalid)
	_, err = a.s.WrapAuthenticated(ctx, mechanism.AESGCM{IV: counted(12), AAD: []byte("y")}, w, k, []byte("x"))
	isCode(t, err, ckr.ArgumentsBad)
}

// TestPublicKeysWrap sends a key to the owner of an RSA key, and of one on a
// curve.
func TestPublicKeysWrap(t *testing.T) {
	a := newAttacker(t)
	pub, priv, err := a.rsa(object.Template{object.AttrWrap.Is(true)}, object.Template{object.AttrUnwrap.Is(true)})
	noError(t, err)
	oaep := mechanism.RSAOAEP{Hash: crypto.SHA256}
	a.sends(oaep, pub, priv)
	a.sends(mechanism.RSAAESKeyWrap{KeyBits: 256, OAEP: oaep}, pub, priv)
	pub, priv, err = a.ec(object.Template{object.AttrWrap.Is(true)}, object.Template{object.AttrUnwrap.Is(true)})
	noError(t, err)
	a.sends(mechanism.ECDHAESKeyWrap{KeyBits: 256, KDF: mechanism.KDFSHA256, SharedData: []byte("for you")}, pub, priv)
}

// sends wraps a sensitive key by a public key and unwraps it by the private one.
func (a attacker) sends(m mechanism.Mechanism, pub, priv *object.Object) {
	t, ctx := a.T, a.Context()
	t.Helper()
	key := a.aes(object.AttrEncrypt.Is(true))
	blob := must(a.s.Wrap(ctx, m, pub, key))(t)
	again := must(a.s.Unwrap(ctx, m, priv, blob, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrDecrypt.Is(true)))(t)
	sealed := must(a.s.Encrypt(ctx, mechanism.AESECB{}, key, counted(16)))(t)
	if plain := must(a.s.Decrypt(ctx, mechanism.AESECB{}, again, sealed))(t); !bytes.Equal(plain, counted(16)) {
		t.Errorf("%x by %v", plain, m.Type())
	}
	if !must(object.Get(ctx, again, object.AttrSensitive))(t) || must(object.Get(ctx, again, object.AttrLocal))(t) {
		t.Errorf("by %v: a key that may be read, or seems to be of the token's own making", m.Type())
	}
	isCode(t, a.unwrap(m, priv, blob, clear_), ckr.TemplateInconsistent)
	isCode(t, a.unwrap(m, priv, blob, object.AttrWrap.Is(true)), ckr.TemplateInconsistent)
	bad := bytes.Clone(blob)
	bad[len(bad)-1] ^= 1
	isCode(t, a.unwrap(m, priv, bad), ckr.WrappedKeyInvalid)
}

// TestKeysOfTheCardUnwrapButDoNotLeave unwraps by an RSA key on the card.
func TestKeysOfTheCardUnwrapButDoNotLeave(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	onToken := object.Template{object.AttrToken.Is(true)}
	pub, priv, err := a.rsa(onToken.With(object.AttrWrap.Is(true), object.AttrEncrypt.Is(true)), onToken.With(object.AttrUnwrap.Is(true)))
	noError(t, err)
	m := mechanism.RSAOAEP{Hash: crypto.SHA256}
	blob := must(a.s.Encrypt(ctx, m, pub, counted(32)))(t)
	key, err := a.s.Unwrap(ctx, m, priv, blob, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrDecrypt.Is(true))
	noError(t, err)
	same := secretKey(t, a.s, object.KeyAES, counted(32))
	sealed := must(a.s.Encrypt(ctx, mechanism.AESECB{}, same, counted(16)))(t)
	if plain := must(a.s.Decrypt(ctx, mechanism.AESECB{}, key, sealed))(t); !bytes.Equal(plain, counted(16)) {
		t.Errorf("%x", plain)
	}
	_, err = a.s.Unwrap(ctx, m, priv, counted(256), object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES))
	isCode(t, err, ckr.WrappedKeyInvalid)
	_, err = a.s.Wrap(ctx, mechanism.AESKeyWrapKWP{}, a.wrapper(), priv)
	isCode(t, err, ckr.KeyUnextractable)
}

// TestConsentGoesWithOneUse unwraps by a key that asks for the PIN each time.
func TestConsentGoesWithOneUse(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	pub, other := pair(t, a.s, engine.PrivateSession, "other")
	_ = other
	_, priv := pair(t, a.s, engine.PrivateToken, "k", object.AttrAlwaysAuthenticate.Is(true), object.AttrDerive.Is(true), object.AttrSign.Is(true))
	point := must(object.Get(ctx, pub, object.AttrECPoint))(t)
	m := mechanism.ECDH{Public: point}
	_, err := a.s.Derive(ctx, m, priv)
	isCode(t, err, ckr.UserNotLoggedIn)
	op := must(a.s.NewKeyOp(ctx, mechanism.FlagDerive, m, priv))(t)
	isCode(t, op.Login(ctx, pin(wrongPIN)), ckr.PINIncorrect)
	noError(t, op.Login(ctx, pin(userPIN)))
	must(op.Derive(ctx))(t)
	_, err = op.Derive(ctx)
	isCode(t, err, ckr.OperationNotInitialized)
	again := must(a.s.NewKeyOp(ctx, mechanism.FlagDerive, m, priv))(t)
	_, err = again.Derive(ctx)
	isCode(t, err, ckr.UserNotLoggedIn)
	_, err = a.s.NewKeyOp(ctx, mechanism.FlagSign, mechanism.ECDSA{}, priv)
	isCode(t, err, ckr.ArgumentsBad)
}

// TestDerivedKeysKnowTheirParents derives by the rules of secrecy.
func TestDerivedKeysKnowTheirParents(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	hash := mechanism.HashDerive{Hash: crypto.SHA256}
	local := a.aes(object.AttrExtractable.Is(false))
	for name, c := range map[string]struct {
		base          *object.Object
		m             mechanism.Mechanism
		always, never bool
		template      object.Template
	}{
		"of a key made here":    {local, hash, true, true, nil},
		"of one that came":      {a.base(counted(32), true), hash, false, false, nil},
		"of both":               {local, mechanism.ConcatenateBaseAndKey{Key: a.base(counted(32), true)}, false, false, nil},
		"of two made here":      {local, mechanism.ConcatenateBaseAndKey{Key: a.aes(object.AttrExtractable.Is(false))}, true, true, nil},
		"of one that may leave": {a.aes(), hash, true, false, object.Template{object.AttrExtractable.Is(true)}},
	} {
		o := must(a.s.Derive(ctx, c.m, c.base, c.template...))(t)
		if got := must(object.Get(ctx, o, object.AttrAlwaysSensitive))(t); got != c.always {
			t.Errorf("%s: always sensitive is %v", name, got)
		}
		if got := must(object.Get(ctx, o, object.AttrNeverExtractable))(t); got != c.never {
			t.Errorf("%s: never extractable is %v", name, got)
		}
	}
	m := mechanism.HKDF{Hash: crypto.SHA256, Expand: true, Info: []byte("i"), ToData: true}
	open := a.base(counted(32), false)
	d := must(a.s.Derive(ctx, m, open, object.AttrValueLen.Is(40), object.AttrLabel.Is("derived")))(t)
	if d.Class() != object.ClassData || len(must(object.Get(ctx, d, object.AttrValue))(t)) != 40 {
		t.Errorf("%v is no data of 40 bytes", d)
	}
}

// TestOneDerivationMakesSeveralKeys cuts what SP 800-108 gives into keys.
func TestOneDerivationMakesSeveralKeys(t *testing.T) {
	ctx := t.Context()
	a := newAttacker(t)
	base := a.base(counted(32), false)
	m := mechanism.KBKDF{PRF: mechanism.HMAC{Hash: crypto.SHA256}, Fields: []mechanism.Field{{Kind: mechanism.IterationField, Width: 32}, {Kind: mechanism.LengthField, Width: 32}}}
	whole := must(object.Get(ctx, must(a.s.Derive(ctx, m, base, readable(48)...))(t), object.AttrValue))(t)
	keys := must(a.s.DeriveKeys(ctx, m, base, readable(16).With(object.AttrKeyType.Is(object.KeyAES)), readable(32)))(t)
	var got []byte
	for _, k := range keys {
		got = append(got, must(object.Get(ctx, k, object.AttrValue))(t)...)
	}
	if !bytes.Equal(got, whole) {
		t.Errorf("%x, want %x", got, whole)
	}
	before := len(find(t, a.s))
	_, err := a.s.DeriveKeys(ctx, m, base, readable(32), readable(5).With(object.AttrKeyType.Is(object.KeyAES)))
	hasCode(t, err, "CKR_KEY_SIZE_RANGE|CKR_ATTRIBUTE_VALUE_INVALID")
	if after := len(find(t, a.s)); after != before {
		t.Errorf("%d objects, there were %d", after, before)
	}
}
