package conformance

import (
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// Virtual makes a token of the blank MyEID-compatible card in a reader.
func Virtual(t *testing.T, readers apdu.Provider, reader string) Fixture {
	t.Helper()
	f := Fixture{SOPIN: "87654321", UserPIN: "123456", OtherPIN: "654321", Everything: true}
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(readers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	f.Token = TokenIn(t, m, reader)
	f.Another = func(t *testing.T) token.Token {
		other, err := m.Application(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { other.Close() })
		return TokenIn(t, other, reader)
	}
	if err := f.Token.Initialize(t.Context(), token.NewPIN([]byte(f.SOPIN)), "conformance"); err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(t.Context(), f.Token, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Login(t.Context(), token.SO, token.NewPIN([]byte(f.SOPIN))); err != nil {
		t.Fatal(err)
	}
	if err := s.InitPIN(t.Context(), token.NewPIN([]byte(f.UserPIN))); err != nil {
		t.Fatal(err)
	}
	return f
}

// TokenIn returns the token in a reader.
func TokenIn(t *testing.T, m *cryptoki.Module, reader string) token.Token {
	t.Helper()
	slots, err := m.Slots(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slots {
		if s.Info().Reader != reader {
			continue
		}
		tok, err := s.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	t.Fatalf("there is no token in %q", reader)
	return nil
}
