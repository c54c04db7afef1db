package interop

import (
	"crypto"
	"crypto/sha256"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// A card with two user PINs is two tokens in two slots. Each has its keys and
// its login; the public objects are the first one's; and what one writes does
// not lose what the other wrote.
func TestTwoUserPINsAreTwoTokens(t *testing.T) {
	need(t)
	card := virtual.New()
	plug(t, card)
	run(t, "pkcs15-init", "--create-pkcs15", "--label", "theirs", "--so-pin", soPIN, "--so-puk", soPIN)
	pins := map[string]string{"01": userPIN, "02": "654321"}
	for _, id := range []string{"01", "02"} {
		run(t, "pkcs15-init", "--store-pin", "--auth-id", id, "--label", "user "+id, "--pin", pins[id], "--puk", userPUK, "--so-pin", soPIN)
	}
	run(t, "pkcs15-init", "--finalize")
	run(t, "pkcs15-init", "--generate-key", "ec/prime256v1", "--key-usage", "sign", "--id", "11", "--label", "one", "--auth-id", "01", "--pin", pins["01"])

	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	slots, err := m.Slots(t.Context(), true)
	if err != nil || len(slots) != 2 || slots[0].ID() == slots[1].ID() {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	var sessions []*session.Session
	for i, slot := range slots {
		tok, err := slot.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		info, err := tok.Info(t.Context())
		if want := []string{"theirs (user 01)", "theirs (user 02)"}[i]; err != nil || info.Label != want {
			t.Errorf("label %q, %v", info.Label, err)
		}
		s, err := session.Open(t.Context(), tok, session.ReadWrite())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	one, two := sessions[0], sessions[1]
	log := func(s *session.Session, pin string) {
		t.Helper()
		if err := s.Login(t.Context(), token.User, token.NewPIN([]byte(pin))); err != nil {
			t.Fatal(err)
		}
	}
	same := func(s *session.Session, want ...string) {
		t.Helper()
		if got := labels(t, s); !equalSets(got, want) {
			t.Errorf("sees %q, not %q", got, want)
		}
	}
	same(two)
	log(one, pins["01"])
	same(one, "CKO_PRIVATE_KEY one", "CKO_PUBLIC_KEY one")
	same(two)
	log(two, pins["02"])
	// The private directories of such a card are the first user's to write:
	// what the second may not do is refused, and nothing is lost.
	if _, err := two.Create(t.Context(), object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(true),
		object.AttrLabel.Is("of two"), object.AttrValue.Is([]byte("x"))); err == nil {
		same(two, "CKO_DATA of two")
	} else {
		t.Logf("the second user may not write: %v", err)
	}
	data(t, one, "of one", true, []byte("y"))
	same(one, "CKO_PRIVATE_KEY one", "CKO_PUBLIC_KEY one", "CKO_DATA of one")

	digest := sha256.Sum256([]byte("x"))
	key, err := one.Key(t.Context(), find1(t, one, object.AttrClass.Is(object.ClassPrivateKey)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(nil, digest[:], crypto.SHA256); err != nil {
		t.Error(err)
	}
	// One's logout is not two's.
	if err := one.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := two.Info(); err != nil || info.State != token.RWUser {
		t.Errorf("two is in state %v, %v", info.State, err)
	}
	contains(t, run(t, "pkcs15-tool", "-D"), "Private EC Key [one]", "Data object 'of one'")
}

// find1 is find without another login.
func find1(t *testing.T, s *session.Session, match ...object.Attribute) *object.Object {
	t.Helper()
	for o, err := range s.Find(t.Context(), match...) {
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	t.Fatal("nothing found")
	return nil
}
