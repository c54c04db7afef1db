package session_test

import (
	"bytes"
	"context"
	"crypto"
	"math/rand/v2"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// secretKey makes a session key that encrypts, decrypts, signs and verifies.
func secretKey(t testing.TB, s *session.Session, kt object.KeyType, value []byte, more ...object.Attribute) *object.Object {
	t.Helper()
	template := object.Template{
		object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(kt), object.AttrValue.Is(value), object.AttrEncrypt.Is(true),
		object.AttrDecrypt.Is(true), object.AttrSign.Is(true), object.AttrVerify.Is(true),
	}
	return must(s.Create(t.Context(), template.With(more...)...))(t)
}

func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// cipherModes are the mechanisms that take data in parts, with a length of
// data that fits them.
func cipherModes() map[string]struct {
	m   mechanism.Mechanism
	kt  object.KeyType
	key int
	n   int
} {
	iv := counted(16)
	return map[string]struct {
		m   mechanism.Mechanism
		kt  object.KeyType
		key int
		n   int
	}{
		"ECB":                 {mechanism.AESECB{}, object.KeyAES, 16, 96},
		"CBC":                 {mechanism.AESCBC{IV: iv}, object.KeyAES, 24, 96},
		"CBC pad":             {mechanism.AESCBCPad{IV: iv}, object.KeyAES, 32, 99},
		"padded whole blocks": {mechanism.AESCBCPad{IV: iv}, object.KeyAES, 16, 96},
		"CTR":                 {mechanism.AESCTR{CounterBits: 4, CB: bytes.Repeat([]byte{0xff}, 16)}, object.KeyAES, 16, 100},
		"CTS":                 {mechanism.AESCTS{IV: iv}, object.KeyAES, 16, 99},
		"XTS":                 {mechanism.AESXTS{Tweak: iv}, object.KeyAESXTS, 64, 99},
		"GCM":                 {mechanism.AESGCM{IV: iv, AAD: iv}, object.KeyAES, 16, 99},
		"CCM":                 {mechanism.AESCCM{Nonce: iv[:12], AAD: iv}, object.KeyAES, 16, 99},
		"ChaCha":              {mechanism.ChaCha20Poly1305{Nonce: iv[:12]}, object.KeyChaCha20, 32, 99},
		"KWP":                 {mechanism.AESKeyWrapKWP{}, object.KeyAES, 16, 99},
	}
}

// TestPartsAndWholeAreTheSame cuts data at random places, with empty parts in
// between.
func TestPartsAndWholeAreTheSame(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	random := rand.New(rand.NewPCG(1, 2))
	for name, c := range cipherModes() {
		key := secretKey(t, s, c.kt, counted(c.key))
		plain := counted(c.n)
		whole := must(s.Encrypt(ctx, c.m, key, plain))(t)
		for range 5 {
			e := must(s.NewEncrypt(ctx, c.m, key))(t)
			if got := inParts(t, random, plain, e); !bytes.Equal(got, whole) {
				t.Errorf("%s encrypts %x, want %x", name, got, whole)
			}
			d := must(s.NewDecrypt(ctx, c.m, key))(t)
			if got := inParts(t, random, whole, d); !bytes.Equal(got, plain) {
				t.Errorf("%s decrypts %x, want %x", name, got, plain)
			}
		}
	}
}

// parts is an operation in parts.
type parts interface {
	Update(ctx context.Context, part []byte) ([]byte, error)
	Final(ctx context.Context) ([]byte, error)
}

func inParts(t *testing.T, random *rand.Rand, data []byte, op parts) (out []byte) {
	t.Helper()
	for len(data) > 0 {
		n := 1 + random.IntN(len(data))
		for _, part := range [][]byte{nil, data[:n], {}} {
			out = append(out, must(op.Update(t.Context(), part))(t)...)
		}
		data = data[n:]
	}
	out = append(out, must(op.Final(t.Context()))(t)...)
	_, err := op.Final(t.Context())
	isCode(t, err, ckr.OperationNotInitialized)
	_, err = op.Update(t.Context(), data)
	isCode(t, err, ckr.OperationNotInitialized)
	return out
}

// TestNothingIsToldBeforeTheTagIsGood decrypts what was altered, in parts.
func TestNothingIsToldBeforeTheTagIsGood(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	for _, name := range []string{"GCM", "CCM", "ChaCha", "KWP"} {
		c := cipherModes()[name]
		key := secretKey(t, s, c.kt, counted(c.key))
		sealed := must(s.Encrypt(ctx, c.m, key, counted(c.n)))(t)
		sealed[0] ^= 1
		d := must(s.NewDecrypt(ctx, c.m, key))(t)
		if out := must(d.Update(ctx, sealed))(t); len(out) > 0 {
			t.Errorf("%s tells %x", name, out)
		}
		out, err := d.Final(ctx)
		hasCode(t, err, "CKR_AEAD_DECRYPT_FAILED|CKR_ENCRYPTED_DATA_INVALID")
		if len(out) > 0 {
			t.Errorf("%s tells %x", name, out)
		}
	}
}

// TestPartsEndWithTheLogin logs out in the middle.
func TestPartsEndWithTheLogin(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	key := secretKey(t, s, object.KeyAES, counted(16))
	e := must(s.NewEncrypt(ctx, mechanism.AESECB{}, key))(t)
	must(e.Update(ctx, counted(16)))(t)
	noError(t, s.Logout(ctx))
	_, err := e.Update(ctx, counted(16))
	hasCode(t, err, "CKR_USER_NOT_LOGGED_IN|CKR_OPERATION_NOT_INITIALIZED")
	_, err = e.Final(ctx)
	isCode(t, err, ckr.OperationNotInitialized)
}

// TestLengthsThatDoNotFitEndAnOperation gives too little and too much.
func TestLengthsThatDoNotFitEndAnOperation(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	key := secretKey(t, s, object.KeyAES, counted(16))
	e := must(s.NewEncrypt(ctx, mechanism.AESCBC{IV: counted(16)}, key))(t)
	must(e.Update(ctx, counted(17)))(t)
	_, err := e.Final(ctx)
	isCode(t, err, ckr.DataLenRange)
	d := must(s.NewDecrypt(ctx, mechanism.AESCBCPad{IV: counted(16)}, key))(t)
	_, err = d.Final(ctx)
	isCode(t, err, ckr.EncryptedDataLenRange)
	short := must(s.NewEncrypt(ctx, mechanism.AESCTR{CounterBits: 1, CB: counted(16)}, key))(t)
	_, err = short.Update(ctx, counted(33))
	isCode(t, err, ckr.DataLenRange)
	once := must(s.NewEncrypt(ctx, mechanism.AESECB{}, key))(t)
	must(once.Update(ctx, counted(16)))(t)
	_, err = once.Encrypt(ctx, counted(16))
	isCode(t, err, ckr.OperationActive)
}

// TestCombinedOperationsDoBoth runs the four pairs of the standard.
func TestCombinedOperationsDoBoth(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	key := secretKey(t, s, object.KeyAES, counted(16))
	mac := secretKey(t, s, object.KeyGenericSecret, counted(32), object.AttrEncrypt.Is(false), object.AttrDecrypt.Is(false))
	ctr, sha, hmac := mechanism.AESCTR{CounterBits: 128, CB: counted(16)}, mechanism.Digest{Hash: crypto.SHA256}, mechanism.HMAC{Hash: crypto.SHA256}
	plain := counted(50)
	digest, code := must(s.Digest(ctx, sha, plain))(t), must(s.Sign(ctx, hmac, mac, plain))(t)
	sealed := must(s.Encrypt(ctx, ctr, key, plain))(t)

	h, e := must(s.NewDigest(ctx, sha))(t), must(s.NewEncrypt(ctx, ctr, key))(t)
	if got := must(session.DigestEncrypt(ctx, h, e, plain))(t); !bytes.Equal(got, sealed) || !bytes.Equal(h.Sum(nil), digest) {
		t.Errorf("digest and encrypt: %x and %x", got, h.Sum(nil))
	}
	sign, e := must(s.NewSign(ctx, hmac, mac))(t), must(s.NewEncrypt(ctx, ctr, key))(t)
	if got := must(session.SignEncrypt(ctx, sign, e, plain))(t); !bytes.Equal(got, sealed) || !bytes.Equal(must(sign.Sum(ctx))(t), code) {
		t.Errorf("sign and encrypt: %x", got)
	}
	h, d := must(s.NewDigest(ctx, sha))(t), must(s.NewDecrypt(ctx, ctr, key))(t)
	if got := must(session.DecryptDigest(ctx, d, h, sealed))(t); !bytes.Equal(got, plain) || !bytes.Equal(h.Sum(nil), digest) {
		t.Errorf("decrypt and digest: %x and %x", got, h.Sum(nil))
	}
	v, d := must(s.NewVerify(ctx, hmac, mac))(t), must(s.NewDecrypt(ctx, ctr, key))(t)
	if got := must(session.DecryptVerify(ctx, d, v, sealed))(t); !bytes.Equal(got, plain) {
		t.Errorf("decrypt and verify: %x", got)
	}
	noError(t, v.Verify(ctx, code))
}

// TestDigestsOfKeysAndTheirStates digests keys that may be read, and goes on
// from a state.
func TestDigestsOfKeysAndTheirStates(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	sha := mechanism.Digest{Hash: crypto.SHA256}
	open := secretKey(t, s, object.KeyAES, counted(16), object.AttrSensitive.Is(false), object.AttrExtractable.Is(true))
	h := must(s.NewDigest(ctx, sha))(t)
	h.Write([]byte("a"))
	state := must(h.State())(t)
	noError(t, h.Key(ctx, open))
	if want := must(s.Digest(ctx, sha, append([]byte("a"), counted(16)...)))(t); !bytes.Equal(h.Sum(nil), want) {
		t.Errorf("%x, want %x", h.Sum(nil), want)
	}
	_, err := h.State()
	isCode(t, err, ckr.StateUnsaveable)
	isCode(t, h.Key(ctx, secretKey(t, s, object.KeyAES, counted(16))), ckr.KeyIndigestible)
	again := must(s.ResumeDigest(ctx, sha, state))(t)
	again.Write([]byte("b"))
	if want := must(s.Digest(ctx, sha, []byte("ab")))(t); !bytes.Equal(again.Sum(nil), want) {
		t.Errorf("%x, want %x", again.Sum(nil), want)
	}
	_, err = s.ResumeDigest(ctx, sha, state[1:])
	isCode(t, err, ckr.SavedStateInvalid)
}

// TestHashMLDSAInParts signs and verifies a message in parts, whether it is hashed
// as it comes or kept.
func TestHashMLDSAInParts(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	pub, priv, err := s.GenerateKeyPair(ctx, mechanism.MLDSAKeyPairGen{},
		object.Template{object.AttrParameterSet.Is(object.ParameterSetMLDSA44), object.AttrVerify.Is(true)}, object.Template{object.AttrSign.Is(true)})
	noError(t, err)
	message := counted(200)
	for _, m := range []mechanism.Mechanism{
		mechanism.HashMLDSA{Hash: crypto.SHA3_256, Context: []byte("context")}, mechanism.HashMLDSA{SHAKE: 128},
		mechanism.Raw{T: mechanism.TypeHashMLDSASHA512},
	} {
		o := must(s.NewSign(ctx, m, priv))(t)
		must(o.Write(message[:77]))(t)
		must(o.Write(message[77:]))(t)
		if o.Size() != 2420 {
			t.Errorf("%v: a size of %d bytes", m.Type(), o.Size())
		}
		noError(t, s.Verify(ctx, m, pub, message, must(o.Sum(ctx))(t)))
		v := must(s.NewVerify(ctx, m, pub))(t)
		must(v.Write(message[:1]))(t)
		must(v.Write(message[1:]))(t)
		noError(t, v.Verify(ctx, must(s.Sign(ctx, m, priv, message))(t)))
	}
}
