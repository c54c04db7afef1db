package cryptoki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"flag"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

var troubleTime = flag.Duration("trouble", 500*time.Millisecond, "how long TestThousandGoroutinesThroughTrouble lasts")

// A thousand goroutines sign with one Key while the card is reset, pulled and
// put back. Every call returns a right signature or a documented error;
// nothing hangs, nothing leaks, and no try of the PIN is lost.
func TestThousandGoroutinesThroughTrouble(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	card, err := cardtest.Card(t.Context(), cardtest.Key{Label: "k", Type: cardtest.P256})
	if err != nil {
		t.Fatal(err)
	}
	readers, err := cardtest.Readers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	readers.Remove(cardtest.Reader)
	readers.Insert(cardtest.Reader, card)
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(readers),
		cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))), cryptoki.WithPINCache(cryptoki.CacheUntilLogout()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := m.Key(t.Context(), "pkcs11:object=k")
	if err != nil {
		t.Fatal(err)
	}
	pub := key.Public().(*ecdsa.PublicKey)

	end := time.Now().Add(*troubleTime)
	var good, documented atomic.Int64
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			digest := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
			for time.Now().Before(end) {
				sig, err := key.Sign(nil, digest[:], crypto.SHA256)
				switch {
				case err == nil && ecdsa.VerifyASN1(pub, digest[:], sig):
					good.Add(1)
				case err == nil:
					t.Error("a wrong signature")
				case troubled(err):
					documented.Add(1)
				default:
					t.Errorf("not a documented error: %v", err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for n := 0; time.Now().Before(end); n++ {
			readers.Reset(cardtest.Reader)
			checkSome(key)
			if n%5 == 4 {
				readers.Remove(cardtest.Reader)
				checkSome(key)
				readers.Insert(cardtest.Reader, card)
			}
		}
	})
	wg.Wait()
	t.Logf("%d signatures, %d documented errors", good.Load(), documented.Load())
	if good.Load() == 0 {
		t.Error("no signature at all")
	}
	checkSigns(t, key)
	noTryLost(t, m)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// troubled reports whether an error is one that a card that comes and goes
// accounts for.
func troubled(err error) bool {
	switch ckr.Of(err) {
	case ckr.TokenNotPresent, ckr.DeviceRemoved, ckr.DeviceError, ckr.UserNotLoggedIn, ckr.KeyHandleInvalid, ckr.SessionHandleInvalid:
		return true
	}
	return false
}

// checkSome signs a few times, so that trouble does not come all at once.
func checkSome(key crypto.Signer) {
	digest := sha256.Sum256(nil)
	for range 10 {
		key.Sign(nil, digest[:], crypto.SHA256)
	}
}

// noTryLost spends one try on purpose: two are left, so none was lost before.
func noTryLost(t *testing.T, m *cryptoki.Module) {
	t.Helper()
	slots, err := m.Slots(t.Context(), true)
	if err != nil || len(slots) != 1 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	tok, err := slots[0].Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Login(t.Context(), token.User, token.NewPIN([]byte("000000")))
	if e, ok := err.(*ckr.Error); !ok || e.Code != ckr.PINIncorrect || e.Tries != (ckr.Tries{Left: 2, Known: true}) {
		t.Errorf("a wrong PIN after all: %v", err)
	}
}
