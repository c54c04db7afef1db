package cryptoki_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/uri"
)

func TestTokenIsFoundByItsURI(t *testing.T) {
	readers := virtual.NewProvider(
		virtual.Reader{Name: "one", Card: newCard(t, "first", nil)},
		virtual.Reader{Name: "two", Card: newCard(t, "second", nil)},
		virtual.Reader{Name: "three", Card: virtual.New()},
		virtual.Reader{Name: "four"})
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(readers))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for text, want := range map[string]string{
		"pkcs11:token=first": "first", "pkcs11:token=second;object=ignored": "second",
		"pkcs11:slot-id=2": "second", "pkcs11:slot-description=three": "",
	} {
		tok, err := m.Token(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if info, err := tok.Info(t.Context()); err != nil || info.Label != want {
			t.Errorf("%s is the token %q, %v", text, info.Label, err)
		}
	}
	var several *cryptoki.AmbiguousError
	if _, err := m.Token(t.Context(), "pkcs11:"); !errors.Is(err, ckr.ArgumentsBad) || !errors.As(err, &several) || len(several.Matches) != 3 {
		t.Errorf("three tokens fit: %v", err)
	}
	var none *cryptoki.NotFoundError
	_, err = m.Token(t.Context(), "pkcs11:token=third?pin-value=1234")
	if !errors.Is(err, ckr.TokenNotPresent) || !errors.As(err, &none) || len(none.Looked) != 3 || strings.Contains(err.Error(), "1234") {
		t.Errorf("no token fits: %v", err)
	}
	var syntax *uri.Error
	if _, err := m.Token(t.Context(), "pkcs12:"); !errors.Is(err, ckr.ArgumentsBad) || !errors.As(err, &syntax) {
		t.Errorf("no URI: %v", err)
	}
}
