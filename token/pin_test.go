package token

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// TestPINIsNeverPrinted prints PINs with every verb, in all sorts of company.
func TestPINIsNeverPrinted(t *testing.T) {
	const secret = "Pa55w0rd"
	p := NewPIN([]byte(secret))
	type exported struct{ P PIN }
	type hidden struct{ p PIN }
	var out strings.Builder
	for _, v := range []any{
		p, &p, []PIN{p}, map[string]PIN{"p": p}, exported{p}, &exported{p}, hidden{p}, &hidden{p}, []hidden{{p}},
		Auth{Consent: p, Write: p}, struct{ A *Auth }{&Auth{Consent: p}}, fmt.Errorf("%v", p),
	} {
		for _, verb := range "vsqxXdcUbop" {
			fmt.Fprintf(&out, fmt.Sprintf("%%%c %%+%c %%#%c\n", verb, verb, verb), v, v, v)
		}
		j, _ := json.Marshal(v)
		out.Write(j)
		slog.New(slog.NewTextHandler(&out, nil)).Info("v", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("v", "v", v)
	}
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret)), fmt.Sprintf("%X", secret)} {
		if strings.Contains(out.String(), strings.Trim(form, "[]")) {
			t.Errorf("%s is printed:\n%s", form, out.String())
		}
	}
	if p.String() != p.GoString() || !strings.Contains(p.String(), "redacted") {
		t.Errorf("a PIN prints as %q", p.String())
	}
}

// TestPINOwnsItsBytes keeps the bytes of the caller and those of the PIN apart.
func TestPINOwnsItsBytes(t *testing.T) {
	given := []byte("1234")
	p := NewPIN(given)
	given[0] = 'X'
	if string(p.Reveal()) != "1234" {
		t.Errorf("the PIN has become %q", p.Reveal())
	}
	q := p.clone()
	inside := p.Reveal()
	p.Clear()
	if string(inside) != "\x00\x00\x00\x00" || p.Len() != 0 || string(q.Reveal()) != "1234" {
		t.Errorf("after Clear: %q, %d, %q", inside, p.Len(), q.Reveal())
	}
	p.Clear()
	PIN{}.Clear()
	if !(PIN{}).IsZero() || p.IsZero() || Pad().IsZero() || !Pad().IsPad() || !Pad().clone().IsZero() {
		t.Error("what is no PIN is not told apart")
	}
}

// TestPINChecks refuses PINs before a card sees them.
func TestPINChecks(t *testing.T) {
	for _, c := range []struct {
		pin          PIN
		entered, new ckr.Code
	}{
		{NewPIN([]byte("1234")), ckr.OK, ckr.OK},
		{NewPIN([]byte("12345678")), ckr.OK, ckr.OK},
		{NewPIN([]byte("pässe")), ckr.OK, ckr.OK},
		{PIN{}, ckr.ArgumentsBad, ckr.ArgumentsBad},
		{Pad(), ckr.ArgumentsBad, ckr.ArgumentsBad},
		{NewPIN(nil), ckr.PINLenRange, ckr.PINLenRange},
		{NewPIN([]byte("123")), ckr.PINLenRange, ckr.PINLenRange},
		{NewPIN([]byte("123456789")), ckr.PINLenRange, ckr.PINLenRange},
		{NewPIN([]byte("1234\x00")), ckr.PINIncorrect, ckr.PINInvalid},
		{NewPIN([]byte("12\n34")), ckr.PINIncorrect, ckr.PINInvalid},
		{NewPIN([]byte("1234\x7F")), ckr.PINIncorrect, ckr.PINInvalid},
		{NewPIN([]byte("1234\xFF")), ckr.PINIncorrect, ckr.PINInvalid},
	} {
		if err := checkEntered("login", c.pin, 4, 8, false); ckr.Of(err) != c.entered {
			t.Errorf("entered %q: %v, want %v", c.pin.Reveal(), err, c.entered.Name())
		}
		if err := checkNew("set", c.pin, 4, 8, false); ckr.Of(err) != c.new {
			t.Errorf("new %q: %v, want %v", c.pin.Reveal(), err, c.new.Name())
		}
	}
	if err := checkEntered("login", Pad(), 4, 8, true); err != nil {
		t.Error(err)
	}
	if err := checkEntered("login", NewPIN([]byte(strings.Repeat("1", 300))), 4, 0, false); err != nil {
		t.Errorf("with no greatest length: %v", err)
	}
}
