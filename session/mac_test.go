package session_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestCodesOfLongDataKeepNoneOfIt authenticates more than is kept for
// mechanisms that need all at once.
func TestCodesOfLongDataKeepNoneOfIt(t *testing.T) {
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	part := make([]byte, 1<<20)
	hash := hmac.New(sha256.New, counted(32))
	for range 20 {
		hash.Write(part)
	}
	key := secretKey(t, s, object.KeyGenericSecret, counted(32))
	for _, length := range []int{0, 8, 32} {
		m := mechanism.HMAC{Hash: crypto.SHA256, Length: length}
		want := hash.Sum(nil)
		if length > 0 {
			want = want[:length]
		}
		sign := must(s.NewSign(ctx, m, key))(t)
		verify := must(s.NewVerify(ctx, m, key))(t)
		before := must(s.NewVerifySignature(ctx, m, key, want))(t)
		forged := must(s.NewVerify(ctx, m, key))(t)
		short := must(s.NewVerify(ctx, m, key))(t)
		for range 20 {
			for _, op := range []interface{ Write([]byte) (int, error) }{sign, verify, before, forged, short} {
				must(op.Write(part))(t)
			}
		}
		if got := must(sign.Sum(ctx))(t); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %x, want %x", length, got, want)
		}
		noError(t, verify.Verify(ctx, want))
		noError(t, before.Verify(ctx))
		isCode(t, forged.Verify(ctx, make([]byte, len(want))), ckr.SignatureInvalid)
		isCode(t, short.Verify(ctx, want[1:]), ckr.SignatureLenRange)
	}
}

// TestCodesInPartsEndWithTheirKey destroys the key in the middle, logs out,
// and closes the session.
func TestCodesInPartsEndWithTheirKey(t *testing.T) {
	ctx := t.Context()
	for name, end := range map[string]func(*session.Session, *object.Object) error{
		"CKR_KEY_HANDLE_INVALID":     func(s *session.Session, key *object.Object) error { return s.Destroy(ctx, key) },
		"CKR_USER_NOT_LOGGED_IN":     func(s *session.Session, _ *object.Object) error { return s.Logout(ctx) },
		"CKR_SESSION_HANDLE_INVALID": func(s *session.Session, _ *object.Object) error { return s.Close() },
	} {
		for _, m := range []mechanism.Mechanism{mechanism.AESCMAC{}, mechanism.AESGMAC{IV: counted(12)}} {
			s := newRig(t).openAs(token.User)
			key := secretKey(t, s, object.KeyAES, counted(16))
			sign, verify := must(s.NewSign(ctx, m, key))(t), must(s.NewVerify(ctx, m, key))(t)
			must(sign.Write(counted(20)))(t)
			must(verify.Write(counted(20)))(t)
			noError(t, end(s, key))
			_, err := sign.Sum(ctx)
			hasCode(t, err, name)
			hasCode(t, verify.Verify(ctx, counted(16)), name)
		}
	}
}

// TestSessionKeysCostNoMemoryBeyondTheResult counts allocations, for time
// cannot be counted.
func TestSessionKeysCostNoMemoryBeyondTheResult(t *testing.T) {
	if raceDetector {
		t.Log("the race detector allocates, too")
		return
	}
	ctx := t.Context()
	s := newRig(t).openAs(token.User)
	key := secretKey(t, s, object.KeyAES, counted(16))
	curve, _ := object.CurveByName("Ed25519")
	pub, priv, err := s.GenerateKeyPair(ctx, mechanism.ECEdwardsKeyPairGen{}, object.Template{object.AttrECParams.Is(curve.Params())}, nil)
	noError(t, err)
	data := counted(64)
	var gcm, ecb, eddsa mechanism.Mechanism = mechanism.AESGCM{IV: counted(12)}, mechanism.AESECB{}, mechanism.EdDSA{}
	sealed := must(s.Encrypt(ctx, gcm, key, data))(t)
	sig := must(s.Sign(ctx, eddsa, priv, data))(t)
	std := ed25519.PublicKey(must(object.Get(ctx, pub, object.AttrECPoint))(t))[2:]
	for name, c := range map[string]struct {
		most float64
		f    func() error
	}{
		"encrypt GCM":    {1, func() error { return failed(s.Encrypt(ctx, gcm, key, data)) }},
		"decrypt GCM":    {1, func() error { return failed(s.Decrypt(ctx, gcm, key, sealed)) }},
		"encrypt ECB":    {1, func() error { return failed(s.Encrypt(ctx, ecb, key, data)) }},
		"sign Ed25519":   {1, func() error { return failed(s.Sign(ctx, eddsa, priv, data)) }},
		"verify Ed25519": {testing.AllocsPerRun(100, func() { ed25519.Verify(std, data, sig) }), func() error { return s.Verify(ctx, eddsa, pub, data, sig) }},
	} {
		got := testing.AllocsPerRun(100, func() {
			if err := c.f(); err != nil {
				t.Error(err)
			}
		})
		if got > c.most {
			t.Errorf("%s: %v allocations, want at most %v", name, got, c.most)
		}
	}
}
