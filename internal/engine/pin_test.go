package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// TestPINIsNeverPrinted prints PINs with every verb, in all sorts of company.
func TestPINIsNeverPrinted(t *testing.T) {
	const secret = "Pa55w0rd"
	p := token.NewPIN([]byte(secret))
	type exported struct{ P token.PIN }
	type hidden struct{ p token.PIN }
	var out strings.Builder
	for _, v := range []any{
		p, &p, []token.PIN{p}, map[string]token.PIN{"p": p}, exported{p}, &exported{p}, hidden{p}, &hidden{p}, []hidden{{p}},
		driver.Auth{Consent: p, Write: p}, struct{ A *driver.Auth }{&driver.Auth{Consent: p}}, fmt.Errorf("%v", p),
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
	p := token.NewPIN(given)
	given[0] = 'X'
	if string(p.Reveal()) != "1234" {
		t.Errorf("the PIN has become %q", p.Reveal())
	}
	q := p.Clone()
	inside := p.Reveal()
	p.Clear()
	if string(inside) != "\x00\x00\x00\x00" || p.Len() != 0 || string(q.Reveal()) != "1234" {
		t.Errorf("after Clear: %q, %d, %q", inside, p.Len(), q.Reveal())
	}
	p.Clear()
	token.PIN{}.Clear()
	if !(token.PIN{}).IsZero() || p.IsZero() || token.Pad().IsZero() || !token.Pad().IsPad() || !token.Pad().Clone().IsZero() {
		t.Error("what is no PIN is not told apart")
	}
}

// TestPINChecks refuses PINs before a card sees them.
func TestPINChecks(t *testing.T) {
	for _, c := range []struct {
		pin          token.PIN
		entered, new ckr.Code
	}{
		{token.NewPIN([]byte("1234")), ckr.OK, ckr.OK},
		{token.NewPIN([]byte("12345678")), ckr.OK, ckr.OK},
		{token.NewPIN([]byte("pässe")), ckr.OK, ckr.OK},
		{token.PIN{}, ckr.ArgumentsBad, ckr.ArgumentsBad},
		{token.Pad(), ckr.ArgumentsBad, ckr.ArgumentsBad},
		{token.NewPIN(nil), ckr.PINLenRange, ckr.PINLenRange},
		{token.NewPIN([]byte("123")), ckr.PINLenRange, ckr.PINLenRange},
		{token.NewPIN([]byte("123456789")), ckr.PINLenRange, ckr.PINLenRange},
		{token.NewPIN([]byte("1234\x00")), ckr.PINIncorrect, ckr.PINInvalid},
		{token.NewPIN([]byte("12\n34")), ckr.PINIncorrect, ckr.PINInvalid},
		{token.NewPIN([]byte("1234\x7F")), ckr.PINIncorrect, ckr.PINInvalid},
		{token.NewPIN([]byte("1234\xFF")), ckr.PINIncorrect, ckr.PINInvalid},
	} {
		if err := checkEntered("login", c.pin, 4, 8, false); ckr.Of(err) != c.entered {
			t.Errorf("entered %q: %v, want %v", c.pin.Reveal(), err, c.entered.Name())
		}
		if err := checkNew("set", c.pin, 4, 8, false); ckr.Of(err) != c.new {
			t.Errorf("new %q: %v, want %v", c.pin.Reveal(), err, c.new.Name())
		}
	}
	if err := checkEntered("login", token.Pad(), 4, 8, true); err != nil {
		t.Error(err)
	}
	if err := checkEntered("login", token.NewPIN([]byte(strings.Repeat("1", 300))), 4, 0, false); err != nil {
		t.Errorf("with no greatest length: %v", err)
	}
}
