package session_test

import (
	"context"
	"crypto/x509"
	"errors"
	"math/big"
	"reflect"
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// calls are all that can be called on a session, by the method's name.
func calls(ctx context.Context, s *session.Session, o, pub, priv *object.Object) map[string]func() error {
	data, digest, label := make([]byte, 16), make([]byte, 32), object.AttrLabel.Is("new")
	second := func(_ any, err error) error { return err }
	return map[string]func() error{
		"Attributes": func() error { return second(s.Attributes(ctx, o)) },
		"Close":      func() error { return s.Close() },
		"Copy":       func() error { return second(s.Copy(ctx, o, label)) },
		"Create":     func() error { return second(s.Create(ctx, dataTemplate()...)) },
		"Decrypt":    func() error { return second(s.Decrypt(ctx, mechanism.RSAPKCS{}, priv, data)) },
		"Decapsulate": func() error {
			return second(s.Decapsulate(ctx, mechanism.MLKEM{}, priv, data))
		},
		"Derive":     func() error { return second(s.Derive(ctx, mechanism.ECDH{Public: data}, priv)) },
		"DeriveKeys": func() error { return second(s.DeriveKeys(ctx, mechanism.ECDH{Public: data}, priv)) },
		"Destroy":    func() error { return s.Destroy(ctx, o) },
		"Digest":     func() error { return second(s.Digest(ctx, mechanism.Digest{Hash: 5}, data)) },
		"Encapsulate": func() error {
			_, _, err := s.Encapsulate(ctx, mechanism.MLKEM{}, pub)
			return err
		},
		"Encrypt": func() error { return second(s.Encrypt(ctx, mechanism.RSAPKCS{}, pub, data)) },
		"Find": func() error {
			for _, err := range s.Find(ctx) {
				return err
			}
			return errors.New("nothing was found, and no error")
		},
		"GenerateKey": func() error {
			return second(s.GenerateKey(ctx, mechanism.AESKeyGen{}, object.AttrValueLen.Is(16)))
		},
		"GenerateKeyPair": func() error {
			_, _, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, object.Template{object.AttrECParams.Is(p256)}, nil)
			return err
		},
		"Info":               func() error { return second(s.Info()) },
		"InitPIN":            func() error { return s.InitPIN(ctx, pin("111111")) },
		"Key":                func() error { return second(s.Key(ctx, priv)) },
		"Login":              func() error { return s.Login(ctx, token.User, pin(userPIN)) },
		"Logout":             func() error { return s.Logout(ctx) },
		"Mechanisms":         func() error { return second(s.Mechanisms(ctx, priv)) },
		"NeedsLogin":         func() error { return second(s.NeedsLogin(ctx)) },
		"NewDecrypt":         func() error { return second(s.NewDecrypt(ctx, mechanism.RSAPKCS{}, priv)) },
		"NewEncrypt":         func() error { return second(s.NewEncrypt(ctx, mechanism.RSAPKCS{}, priv)) },
		"NewDigest":          func() error { return second(s.NewDigest(ctx, mechanism.Digest{Hash: 5})) },
		"NewEncryptMessages": func() error { return second(s.NewEncryptMessages(ctx, mechanism.AESGCM{}, pub)) },
		"NewDecryptMessages": func() error { return second(s.NewDecryptMessages(ctx, mechanism.AESGCM{}, priv)) },
		"NewSignMessages":    func() error { return second(s.NewSignMessages(ctx, mechanism.ECDSA{}, priv)) },
		"NewVerifyMessages":  func() error { return second(s.NewVerifyMessages(ctx, mechanism.ECDSA{}, pub)) },
		"NewVerifySignature": func() error { return second(s.NewVerifySignature(ctx, mechanism.ECDSA{}, pub, data)) },
		"SeedRandom":         func() error { return s.SeedRandom(ctx, data) },
		"SignRecover":        func() error { return second(s.SignRecover(ctx, mechanism.RSAPKCS{}, priv, data)) },
		"VerifyRecover":      func() error { return second(s.VerifyRecover(ctx, mechanism.RSAPKCS{}, pub, data)) },
		"NewKeyOp": func() error {
			return second(s.NewKeyOp(ctx, mechanism.FlagDerive, mechanism.ECDH{Public: data}, priv))
		},
		"ResumeDigest": func() error { return second(s.ResumeDigest(ctx, mechanism.Digest{Hash: 5}, nil)) },
		"Wrap":         func() error { return second(s.Wrap(ctx, mechanism.AESKeyWrap{}, pub, priv)) },
		"WrapAuthenticated": func() error {
			return second(s.WrapAuthenticated(ctx, mechanism.AESGCM{IV: data}, pub, priv, data))
		},
		"Unwrap": func() error { return second(s.Unwrap(ctx, mechanism.AESKeyWrap{}, priv, data)) },
		"UnwrapAuthenticated": func() error {
			return second(s.UnwrapAuthenticated(ctx, mechanism.AESGCM{IV: data}, priv, data, data))
		},
		"NewSign":   func() error { return second(s.NewSign(ctx, mechanism.ECDSA{}, priv)) },
		"NewVerify": func() error { return second(s.NewVerify(ctx, mechanism.ECDSA{}, pub)) },
		"PublicKey": func() error { return second(s.PublicKey(ctx, priv)) },
		"Random":    func() error { return second(s.Random(ctx, 8)) },
		"Set":       func() error { return s.Set(ctx, o, label) },
		"SetPIN":    func() error { return s.SetPIN(ctx, pin(userPIN), pin("111111")) },
		"Sign":      func() error { return second(s.Sign(ctx, mechanism.ECDSA{}, priv, digest)) },
		"Size":      func() error { return second(s.Size(ctx, o)) },
		"StoreCertificate": func() error {
			return second(s.StoreCertificate(ctx, &x509.Certificate{Raw: []byte{0x30, 0}, RawSubject: []byte{0x30, 0}, SerialNumber: big.NewInt(1)}))
		},
		"UnblockPIN": func() error { return s.UnblockPIN(ctx, pin("12345678"), pin("111111")) },
		"Verify": func() error {
			return s.Verify(ctx, mechanism.ECDSA{}, pub, digest, make([]byte, 64))
		},
	}
}

func dataTemplate() object.Template { return data(engine.PublicSession, "new") }

// noCall are methods that tell what is known without the session being open.
var noCall = map[string]bool{"Token": true, "Format": true}

// TestEveryMethodIsCalled keeps the list of calls complete.
func TestEveryMethodIsCalled(t *testing.T) {
	all := calls(t.Context(), nil, nil, nil, nil)
	typ := reflect.TypeFor[*session.Session]()
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; all[name] == nil && !noCall[name] {
			t.Errorf("%s is not among the calls", name)
		}
	}
}

// slotOf returns the id of a reader's slot.
func (r *rig) slotOf(name string) slot.ID {
	r.t.Helper()
	for _, s := range must(r.module.Slots(r.ctx, false))(r.t) {
		if s.Info().Reader == name {
			return s.ID()
		}
	}
	r.t.Fatalf("there is no reader %q", name)
	return 0
}
