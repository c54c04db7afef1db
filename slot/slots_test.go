package slot_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/slot"
)

// ids are the ids of slots by their readers.
func ids(t *testing.T, l *slot.List, present bool) map[string]slot.ID {
	t.Helper()
	all, err := l.Slots(t.Context(), present)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]slot.ID{}
	for _, s := range all {
		found[s.Info().Reader] = s.ID()
	}
	return found
}

func cardOf(t token.Token) *engine.Card { return t.(*engine.Token).Card() }

func tokenIn(t *testing.T, l *slot.List, id slot.ID) token.Token {
	t.Helper()
	s, err := l.Slot(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func code(t *testing.T, err error, want ckr.Code) {
	t.Helper()
	if ckr.Of(err) != want {
		t.Errorf("got %v, want %v", err, want.Name())
	}
}

// TestSlotIDsStay moves cards and readers about: a reader keeps its id, and no
// id is used for another reader.
func TestSlotIDsStay(t *testing.T) {
	card := virtual.New()
	p := virtual.NewProvider(virtual.Reader{Name: "a", Card: card}, virtual.Reader{Name: "b"})
	l := newList(t, p)
	first := ids(t, l, false)
	if len(first) != 2 || first["a"] == 0 || first["b"] == 0 || first["a"] == first["b"] {
		t.Fatalf("ids %v", first)
	}
	if diff := cmp.Diff(map[string]slot.ID{"a": first["a"]}, ids(t, l, true)); diff != "" {
		t.Error(diff)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(p.Remove("a"))
	do(p.Insert("b", card))
	if diff := cmp.Diff(map[string]slot.ID{"b": first["b"]}, ids(t, l, true)); diff != "" {
		t.Error(diff)
	}
	do(p.RemoveReader("a"))
	do(p.AddReader("c"))
	now := ids(t, l, false)
	if now["c"] == 0 || now["c"] == first["a"] || now["c"] == first["b"] || now["b"] != first["b"] {
		t.Errorf("ids %v, were %v", now, first)
	}
	_, err := l.Slot(t.Context(), first["a"])
	code(t, err, ckr.SlotIDInvalid)
	do(p.AddReader("a"))
	if again := ids(t, l, false); again["a"] != first["a"] {
		t.Errorf("the reader has come back as %v, was %v", again["a"], first["a"])
	}
	other := l.Application()
	defer other.Close()
	if diff := cmp.Diff(ids(t, l, false), ids(t, other, false)); diff != "" {
		t.Errorf("another application sees other ids: %s", diff)
	}
}

// TestTokenStaysWithTheCard asks for the token of a slot again and again: it is
// the same one for as long as the card stays, and another one after that.
func TestTokenStaysWithTheCard(t *testing.T) {
	card := virtual.New()
	p := virtual.NewProvider(virtual.Reader{Name: "a", Card: card})
	l := newList(t, p)
	id := ids(t, l, true)["a"]
	tok := tokenIn(t, l, id)
	if tokenIn(t, l, id) != tok {
		t.Error("the token is another one")
	}
	other := l.Application()
	defer other.Close()
	if got := tokenIn(t, other, id); got == tok || cardOf(got) != cardOf(tok) {
		t.Error("another application has the same token, or another card")
	}
	held, err := l.Slot(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	p.Remove("a")
	_, err = held.Token(t.Context())
	code(t, err, ckr.TokenNotPresent)
	if len(ids(t, l, true)) > 0 {
		t.Error("the slot still has a token")
	}
	p.Insert("a", card)
	if again := tokenIn(t, l, id); again == tok || cardOf(again) == cardOf(tok) {
		t.Error("a card that was put in again has the old token")
	}
	if tok.Alive() {
		t.Error("the old token lives")
	}
}

// TestRemovalBetweenTwoLooksIsSeen takes a card out and puts it in again while
// nobody looks.
func TestRemovalBetweenTwoLooksIsSeen(t *testing.T) {
	card := virtual.New()
	p := virtual.NewProvider(virtual.Reader{Name: "a", Card: card})
	l := newList(t, p)
	id := ids(t, l, true)["a"]
	tok := tokenIn(t, l, id)
	p.Remove("a")
	p.Insert("a", card)
	if tokenIn(t, l, id) == tok {
		t.Error("the token is that of the card before")
	}
	_, err := session.Open(t.Context(), tok)
	code(t, err, ckr.DeviceRemoved)
}

// TestListAfterClose asks an application that has ended, and one that has not.
func TestListAfterClose(t *testing.T) {
	p := virtual.NewProvider(virtual.Reader{Name: "a", Card: virtual.New()})
	l := newList(t, p)
	other := l.Application()
	all, err := l.Slots(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	code(t, l.Close(), ckr.CryptokiNotInitialized)
	_, err = l.Slots(t.Context(), false)
	code(t, err, ckr.CryptokiNotInitialized)
	_, err = l.Slot(t.Context(), all[0].ID())
	code(t, err, ckr.CryptokiNotInitialized)
	_, err = all[0].Token(t.Context())
	code(t, err, ckr.CryptokiNotInitialized)
	tokenIn(t, other, ids(t, other, true)["a"])
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	// A new application finds the card again.
	again := newList(t, p)
	tokenIn(t, again, ids(t, again, true)["a"])
}

// TestFlags tells what is in a slot.
func TestFlags(t *testing.T) {
	odd := virtual.MyEID500()
	odd.ATR = []byte("\x3B\x02Od")
	p := virtual.NewProvider(
		virtual.Reader{Name: "empty"}, virtual.Reader{Name: "card", Card: virtual.New()},
		virtual.Reader{Name: "odd", Card: virtual.New(virtual.As(odd))})
	all, err := newList(t, p).Slots(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		_, err := s.Token(t.Context())
		present := s.Info().Flags&slot.FlagTokenPresent != 0
		switch info := s.Info(); info.Reader {
		case "empty":
			code(t, err, ckr.TokenNotPresent)
			if present || info.Driver != "" || info.ATR != nil {
				t.Errorf("%+v", info)
			}
		case "odd":
			code(t, err, ckr.TokenNotRecognized)
			if !present || info.Driver != "" || string(info.ATR) != string(odd.ATR) {
				t.Errorf("%+v", info)
			}
		case "card":
			code(t, err, ckr.OK)
			if !present || info.Driver != "pkcs15" {
				t.Errorf("%+v", info)
			}
		}
	}
}
