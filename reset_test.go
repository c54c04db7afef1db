package cryptoki_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestKeyIsFoundWhileItsCardIsReset has somebody reset the card at each
// exchange of finding a key and signing. Only a VERIFY whose answer the reset
// took is not repeated.
func TestKeyIsFoundWhileItsCardIsReset(t *testing.T) {
	card, err := cardtest.Card(t.Context(), cardtest.Key{Label: "k", Type: cardtest.P256})
	if err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{"pkcs11:object=k", "pkcs11:object=k;type=cert", "pkcs11:object=k;type=public", "pkcs11:id=%01;type=private"} {
		for _, kind := range []virtual.FaultKind{virtual.ResetBefore, virtual.ResetAfter} {
			for n, done := 1, false; !done; n++ {
				card.SetFaults(nil)
				p := virtual.Single(card)
				m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(p), cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := m.Slots(t.Context(), true); err != nil { // recognising the card is another story
					t.Fatal(err)
				}
				left, verifying := n, false
				card.SetFaults(func(_ int, command []byte) virtual.Fault {
					if left--; left == 0 {
						verifying = command[1] == 0x20
						return virtual.Fault{Kind: kind}
					}
					return virtual.Fault{}
				})
				err = findAndSign(t.Context(), m, uri)
				if err != nil && !(verifying && kind == virtual.ResetBefore && strings.Contains(err.Error(), "login")) {
					t.Errorf("%s, reset %v at exchange %d: %v", uri, kind, n, err)
				}
				done = left > 0
				card.SetFaults(nil)
				m.Close()
				if err := p.Remove(cardtest.Reader); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func findAndSign(ctx context.Context, m *cryptoki.Module, uri string) error {
	key, err := m.Key(ctx, uri)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(nil)
	if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
		return err
	}
	if c, err := m.TLSCertificate(ctx, uri); err != nil || c.PrivateKey == nil {
		return fmt.Errorf("TLS: %w", err)
	}
	return nil
}

// TestWhoGaveUpIsNotToldThatNothingIsThere cancels in the middle of a search:
// what was not seen any more may well be there.
func TestWhoGaveUpIsNotToldThatNothingIsThere(t *testing.T) {
	card, err := cardtest.Card(t.Context(), cardtest.Key{Label: "k", Type: cardtest.P256})
	if err != nil {
		t.Fatal(err)
	}
	for n, done := int64(1), false; !done; n++ {
		p := virtual.Single(card)
		ctx, cancel := context.WithCancel(t.Context())
		var sent atomic.Int64
		card.SetFaults(func(int, []byte) virtual.Fault {
			if sent.Add(1) == n {
				cancel()
			}
			return virtual.Fault{}
		})
		m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(p), cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
		if err != nil {
			t.Fatal(err)
		}
		err = findAndSign(ctx, m, "pkcs11:object=k")
		if done = sent.Load() < n; !done && err != nil && (ckr.Of(err) != ckr.FunctionCanceled || !errors.Is(err, context.Canceled)) {
			t.Errorf("cancelled at exchange %d: %v", n, err)
		}
		cancel()
		m.Close()
		card.SetFaults(nil)
		if err := p.Remove(cardtest.Reader); err != nil {
			t.Fatal(err)
		}
	}
}
