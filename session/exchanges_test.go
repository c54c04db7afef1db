package session_test

import (
	"crypto"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/replay"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestExchanges bounds how many commands the common ways through the library
// send: each may take half a second with a slow reader.
func TestExchanges(t *testing.T) {
	for name, make := range map[string]func(t *testing.T) (card *virtual.Card, pin string){
		"card of ours":   cardOfOurs,
		"card of OpenSC": cardOfOpenSC,
	} {
		t.Run(name, func(t *testing.T) {
			card, pin := make(t)
			exchanges(t, card, pin)
		})
	}
}

func exchanges(t *testing.T, card *virtual.Card, userPIN string) {
	ctx := t.Context()
	readers := virtual.Single(card)
	bound := func(what string, most int, f func()) {
		t.Helper()
		before := card.Exchanges()
		f()
		n := card.Exchanges() - before
		t.Logf("%s: %d commands, %d allowed", what, n, most)
		if n > most {
			t.Errorf("%s takes %d commands, more than %d", what, n, most)
		}
	}
	var r *rig
	var s *session.Session
	bound("opening and listing", 26, func() {
		r = rigOn(t, card, readers)
		s = r.open(false)
		if n := len(find(t, s)); n < 3 {
			t.Errorf("%d objects are found", n)
		}
	})
	var rsaKey, ecKey *object.Object
	keys := func() {
		for _, o := range find(t, s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrSign.Is(true)) {
			switch must(object.Get(ctx, o, object.AttrKeyType))(t) {
			case object.KeyRSA:
				rsaKey = o
			case object.KeyEC:
				ecKey = o
			}
		}
	}
	bound("login and an RSA-2048 signature", 6, func() {
		noError(t, s.Login(ctx, token.User, pin(userPIN)))
		keys()
		must(s.Sign(ctx, mechanism.RSAPKCS{Hash: crypto.SHA256}, rsaKey, []byte("data")))(t)
	})
	noError(t, s.Logout(ctx))
	bound("login and a P-256 signature", 4, func() {
		noError(t, s.Login(ctx, token.User, pin(userPIN)))
		keys()
		must(s.Sign(ctx, mechanism.ECDSA{Hash: crypto.SHA256}, ecKey, []byte("data")))(t)
	})
	noError(t, s.Logout(ctx))
	bound("a second listing, opening, closing and reading what is known", 0, func() {
		other := must(session.Open(ctx, r.token))(t)
		for _, o := range find(t, other) {
			must(object.Get(ctx, o, object.AttrLabel))(t)
			must(object.Get(ctx, o, object.AttrClass))(t)
		}
		must(other.Create(ctx, data(engine.PublicSession, "o")...))(t)
		noError(t, other.Close())
	})
	bound("everything of every object, read once", 20, func() {
		for _, o := range find(t, s) {
			readAll(t, s, o)
		}
	})
	bound("everything of every object, read twice", 0, func() {
		for _, o := range find(t, s) {
			readAll(t, s, o)
		}
	})
}

// cardOfOurs has six objects.
func cardOfOurs(t *testing.T) (*virtual.Card, string) {
	r := newRig(t)
	s := r.openAs(token.User)
	_, private := rsaTemplate(t)
	must(s.Create(t.Context(), private.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrToken.Is(true),
		object.AttrLabel.Is("rsa"), object.AttrID.Is([]byte{1}), object.AttrSign.Is(true))...))(t)
	pair(t, s, engine.PrivateToken, "ec")
	for _, label := range []string{"a", "b"} {
		must(s.Create(t.Context(), data(engine.PublicToken, label)...))(t)
	}
	must(s.Create(t.Context(), data(engine.PrivateToken, "c")...))(t)
	noError(t, s.Close())
	noError(t, r.module.Close())
	noError(t, r.readers.Remove(reader))
	return r.card, userPIN
}

// cardOfOpenSC is laid out as pkcs15-init does: its recorded commands make the
// card, with keys that are the card's own.
func cardOfOpenSC(t *testing.T) (*virtual.Card, string) {
	card := virtual.New(virtual.As(virtual.OsEID452()))
	readers := virtual.Single(card)
	c := must(readers.Connect(t.Context(), reader))(t)
	for _, name := range []string{
		"create-pkcs15", "store-pin", "finalize", "generate-rsa2048", "generate-rsa2048-dec", "generate-p256", "write-cert-1", "write-cert-3",
	} {
		f := must(os.Open(filepath.Join("..", "apdu", "virtual", "testdata", "oseid", "opensc-"+name+".jsonl")))(t)
		defer f.Close()
		for _, x := range must(replay.Read(f))(t).Exchanges {
			must(c.Transmit(t.Context(), x.Command))(t)
		}
	}
	noError(t, readers.Remove(reader))
	return card, "11111111"
}
