package engine

import (
	"context"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// use uses a key that needs the login.
func use(t *testing.T, s *Session, key *object.Object) error {
	t.Helper()
	g, err := s.Grant(t.Context(), "sign", key, ToSign, mechanism.ECDSA{})
	if err != nil {
		return err
	}
	_, err = s.Sign(t.Context(), Use{Grant: g, Op: "sign"}, mechanism.ECDSA{}, nil)
	return err
}

// TestTwoTokensOfOneCard has two tokens on one connection: what one of them
// learns of others' visits and resets, the other one learns, too.
func TestTwoTokensOfOneCard(t *testing.T) {
	l := &link{}
	first := &signer{bare: newBare(t, l)}
	second := &signer{bare: &bare{conn: first.conn, right: "1234"}}
	first.records, second.records = []driver.Record{keyRecord("first")}, []driver.Record{keyRecord("second")}
	a, b := seatOn(t, first), seatOn(t, second)
	keyA, keyB := found(t, a)[0], found(t, b)[0]

	l.visited = true
	for _, err := range []error{use(t, a, keyA), use(t, b, keyB)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, back := range []*signer{first, second} {
		if len(back.logins) != 2 {
			t.Errorf("token %d: after a visit the PIN was verified %d times", i, len(back.logins))
		}
	}
	l.reset = true
	code(t, use(t, a, keyA), ckr.UserNotLoggedIn)
	code(t, use(t, b, keyB), ckr.UserNotLoggedIn)
	for _, s := range []*Session{a, b} {
		if state, _ := s.State(); state != token.RWPublic {
			t.Errorf("after a reset the state is %v", state)
		}
	}
	if len(first.logins)+len(second.logins) != 4 {
		t.Error("after a reset a PIN was sent")
	}
}

// TestKeptPINIsForgotten looks into the card for PINs that are of no use any
// more.
func TestKeptPINIsForgotten(t *testing.T) {
	ctx := t.Context()
	for name, end := range map[string]func(s *Session, l *link){
		"logout": func(s *Session, _ *link) { s.Logout(ctx) },
		"close":  func(s *Session, _ *link) { s.Close(ctx) },
		"end":    func(s *Session, _ *link) { s.t.Close(ctx) },
		"removal": func(s *Session, _ *link) {
			s.t.card.Gone()
		},
		"reset": func(s *Session, l *link) {
			l.reset = true
			s.t.Info(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := &link{}
			s := seatOn(t, newBare(t, l))
			c := s.t.card
			kept := c.pins[token.User].Reveal()
			if string(kept) != "1234" {
				t.Fatalf("the PIN kept is %q", kept)
			}
			end(s, l)
			if !c.pins[token.User].IsZero() || string(kept) != "\x00\x00\x00\x00" {
				t.Errorf("the PIN kept is %q", kept)
			}
		})
	}
}

// TestKeptPINStaysForOthers logs one of two applications out.
func TestKeptPINStaysForOthers(t *testing.T) {
	b := &signer{bare: newBare(t, &link{})}
	b.records = []driver.Record{keyRecord("key")}
	s := seatOn(t, b)
	key := found(t, s)[0]
	other, err := s.t.card.Application().OpenSession(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Login(t.Context(), token.User, token.NewPIN([]byte("1234"))); err != nil {
		t.Fatal(err)
	}
	if err := other.Logout(t.Context()); err != nil || b.logouts != 0 {
		t.Errorf("%v; the card was told %d logouts", err, b.logouts)
	}
	if err := use(t, s, key); err != nil {
		t.Error(err)
	}
	if err := s.Logout(t.Context()); err != nil || b.logouts != 1 {
		t.Errorf("%v; the card was told %d logouts", err, b.logouts)
	}
}

// TestLogoutThatCannotBeSentIsOwed logs out with a context that has ended: the
// login has ended all the same, and the card is told before its next use.
func TestLogoutThatCannotBeSentIsOwed(t *testing.T) {
	b := newBare(t, &link{})
	s := seatOn(t, b)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	code(t, s.Logout(ended), ckr.FunctionCanceled)
	if state, _ := s.State(); state != token.RWPublic || b.logouts != 0 {
		t.Errorf("state %v, %d logouts", state, b.logouts)
	}
	if _, err := s.t.Info(t.Context()); err != nil || b.logouts != 1 {
		t.Errorf("%v, %d logouts", err, b.logouts)
	}
	code(t, s.Logout(t.Context()), ckr.UserNotLoggedIn)
}
