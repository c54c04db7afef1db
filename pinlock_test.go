package cryptoki_test

import (
	"context"
	"crypto"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestLockedPINMayBeTheRightOne has others lock the PIN, and the security
// officer lift the lock: the key works again, with the PIN that it has.
func TestLockedPINMayBeTheRightOne(t *testing.T) {
	for name, always := range map[string]bool{"login": false, "consent": true} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			p, err := cardtest.Readers(ctx, cardtest.Key{Label: "k", Type: cardtest.P256, Always: always})
			if err != nil {
				t.Fatal(err)
			}
			m := openModule(t, p, cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
			key, err := m.Key(ctx, "pkcs11:object=k")
			if err != nil {
				t.Fatal(err)
			}
			checkSigns(t, key)
			other := openModule(t, p)
			slots, err := other.Slots(ctx, true)
			if err != nil {
				t.Fatal(err)
			}
			s, err := other.OpenSession(ctx, slots[0].ID(), session.ReadWrite())
			if err != nil {
				t.Fatal(err)
			}
			for ckr.Of(err) != ckr.PINLocked {
				if err = s.Login(ctx, token.User, token.NewPIN([]byte("999999"))); err == nil {
					t.Fatal("a wrong PIN is right")
				}
			}
			p.Reset(cardtest.Reader)
			for range 3 {
				if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); ckr.Of(err) != ckr.PINLocked {
					t.Errorf("locked: %v", err)
				}
			}
			for _, err := range []error{s.Login(ctx, token.SO, token.NewPIN([]byte(cardtest.SOPIN))), s.InitPIN(ctx, token.NewPIN([]byte(cardtest.PIN)))} {
				if err != nil {
					t.Fatal(err)
				}
			}
			checkSigns(t, key)
		})
	}
}

// TestWhoIsAskedForAPINMayLookAtWhatIsPublic shows a certificate in the
// prompt.
func TestWhoIsAskedForAPINMayLookAtWhatIsPublic(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p, err := cardtest.Readers(ctx, cardtest.Key{Label: "k", Type: cardtest.P256})
	if err != nil {
		t.Fatal(err)
	}
	var m *cryptoki.Module
	shown := ""
	m = openModule(t, p, cryptoki.WithPIN(func(ctx context.Context, _ token.PINRequest) (token.PIN, error) {
		cert, err := m.Certificate(ctx, "pkcs11:object=k")
		if err != nil {
			return token.PIN{}, err
		}
		shown = cert.Subject.String()
		return token.NewPIN([]byte(cardtest.PIN)), nil
	}))
	key, err := m.Key(ctx, "pkcs11:object=k")
	if err != nil {
		t.Fatal(err)
	}
	checkSigns(t, key)
	if shown == "" {
		t.Error("nothing was shown")
	}
}
