package session_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"math/bits"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestDerivedKeysAreThoseOfTheStandardLibrary agrees on secrets with keys of
// the session and of the card: a shorter key is the trailing bytes of the
// secret, and with a key derivation function the beginning of its output.
func TestDerivedKeysAreThoseOfTheStandardLibrary(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	peer := must(ecdh.P256().GenerateKey(rand.Reader))(t)
	readable := object.Template{object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)}
	for _, kind := range []engine.Kind{engine.PrivateSession, engine.PrivateToken} {
		pub, priv := pair(t, s, kind, kind.String())
		point := must(object.Get(ctx, pub, object.AttrECPoint))(t)
		own := must(ecdh.P256().NewPublicKey(point[2:]))(t) // within an OCTET STRING
		secret := must(peer.ECDH(own))(t)
		block := sha256.Sum256(append(bytes.Clone(secret), 0, 0, 0, 1, 'x'))
		plain := mechanism.ECDH{Public: peer.PublicKey().Bytes()}
		stretched := plain
		stretched.KDF, stretched.SharedData = mechanism.KDFSHA256, []byte("x")
		aes := readable.With(object.AttrKeyType.Is(object.KeyAES))
		for name, c := range map[string]struct {
			m        mechanism.Mechanism
			template object.Template
			want     []byte
		}{
			"whole":           {plain, readable, secret},
			"short":           {plain, readable.With(object.AttrValueLen.Is(20)), secret[12:]},
			"AES-256":         {plain, aes, secret},
			"AES-128":         {plain, aes.With(object.AttrValueLen.Is(16)), secret[16:]},
			"stretched":       {stretched, readable, block[:]},
			"stretched short": {stretched, aes.With(object.AttrValueLen.Is(16)), block[:16]},
		} {
			o := must(s.Derive(ctx, c.m, priv, c.template...))(t)
			if got := must(object.Get(ctx, o, object.AttrValue))(t); !bytes.Equal(got, c.want) {
				t.Errorf("%v, %s: %X, want %X", kind, name, got, c.want)
			}
			if n := must(object.Get(ctx, o, object.AttrValueLen))(t); n != uint64(len(c.want)) {
				t.Errorf("%v, %s: a length of %d", kind, name, n)
			}
			if must(object.Get(ctx, o, object.AttrLocal))(t) {
				t.Errorf("%v, %s: the key is local", kind, name)
			}
		}
		for name, c := range map[string]struct {
			m        mechanism.Mechanism
			template object.Template
			want     string
		}{
			"too long":       {plain, readable.With(object.AttrValueLen.Is(33)), "CKR_KEY_SIZE_RANGE"},
			"no length":      {plain, readable.With(object.AttrValueLen.Is(0)), "CKR_KEY_SIZE_RANGE|CKR_ATTRIBUTE_VALUE_INVALID"},
			"odd AES":        {plain, aes.With(object.AttrValueLen.Is(20)), "CKR_KEY_SIZE_RANGE|CKR_ATTRIBUTE_VALUE_INVALID"},
			"with a value":   {plain, readable.With(object.AttrValue.Is([]byte("v"))), "CKR_ATTRIBUTE_READ_ONLY"},
			"not a point":    {mechanism.ECDH{Public: bytes.Repeat([]byte{4}, 65)}, readable, "CKR_MECHANISM_PARAM_INVALID"},
			"nothing":        {mechanism.ECDH{}, readable, "CKR_MECHANISM_PARAM_INVALID"},
			"other mechnism": {mechanism.ECDSA{}, readable, "CKR_KEY_TYPE_INCONSISTENT|CKR_MECHANISM_INVALID"},
			"private key":    {plain, readable.With(object.AttrClass.Is(object.ClassPrivateKey)), "CKR_TEMPLATE_INCONSISTENT"},
		} {
			_, err := s.Derive(ctx, c.m, priv, c.template...)
			if err == nil {
				t.Errorf("%v, %s: no error", kind, name)
				continue
			}
			hasCode(t, err, c.want)
		}
	}
	_, base := pair(t, s, engine.PrivateSession, "no base", object.AttrDerive.Is(false), object.AttrSign.Is(true))
	_, err := s.Derive(ctx, mechanism.ECDH{Public: peer.PublicKey().Bytes()}, base)
	isCode(t, err, ckr.KeyFunctionNotPermitted)
}

// TestKeysOfDESHaveTheirParity makes them in every way in which a token makes
// keys.
func TestKeysOfDESHaveTheirParity(t *testing.T) {
	ctx := t.Context()
	card := virtual.New()
	r := &rig{t: t, ctx: ctx, card: card, readers: virtual.Single(card)}
	r.module = must(cryptoki.Open(ctx, cryptoki.WithProvider(r.readers), cryptoki.WithLegacy()))(t)
	t.Cleanup(func() { r.module.Close() })
	r.look()
	r.initialise()
	s := r.openAs(token.User)
	des := object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyDES3), object.AttrSensitive.Is(false), object.AttrExtractable.Is(true),
	}
	base := must(s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyGenericSecret), object.AttrValue.Is(counted(32)),
		object.AttrDerive.Is(true), object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)))(t)
	for name, key := range map[string]*object.Object{
		"generated": must(s.GenerateKey(ctx, mechanism.DES3KeyGen{}, des...))(t),
		"PBKDF2":    must(s.GenerateKey(ctx, mechanism.PBKDF2{Hash: crypto.SHA256, Salt: counted(8), Iterations: 1}, des...))(t),
		"HKDF":      must(s.Derive(ctx, mechanism.HKDF{Hash: crypto.SHA256, Expand: true}, base, des...))(t),
	} {
		for _, b := range must(object.Get(ctx, key, object.AttrValue))(t) {
			if bits.OnesCount8(b)%2 == 0 {
				t.Errorf("%s: byte %08b", name, b)
			}
		}
	}
}

// TestDerivedKeysAreAsLongAsTheirTypeHasThem gives no length where there is but
// one.
func TestDerivedKeysAreAsLongAsTheirTypeHasThem(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	peer := must(ecdh.P384().GenerateKey(rand.Reader))(t)
	curve, _ := object.CurveByName("P-384")
	_, priv, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, object.Template{object.AttrECParams.Is(curve.Params())}, object.Template{object.AttrDerive.Is(true)})
	noError(t, err)
	key := must(s.Derive(ctx, mechanism.ECDH{Public: peer.PublicKey().Bytes()}, priv, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyChaCha20),
		object.AttrSensitive.Is(false), object.AttrExtractable.Is(true)))(t)
	if n := len(must(object.Get(ctx, key, object.AttrValue))(t)); n != 32 {
		t.Errorf("a key of ChaCha20 of %d bytes", n)
	}
}
