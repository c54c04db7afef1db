package session_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// leak looks for a secret in a text, in the forms in which it could get there.
func leak(text, secret string) bool {
	forms := []string{
		secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
		fmt.Sprint([]byte(secret)), strings.Trim(fmt.Sprintf("%#v", []byte(secret)), "[]byte{}"),
		fmt.Sprintf("% x", secret),
	}
	for _, form := range forms {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

// printed is a value in all forms that people print things in.
func printed(v any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	if j, err := json.Marshal(v); err == nil {
		b.Write(j)
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("value", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("value", "v", v)
	return b.String()
}

// TestSecretsAreNotPrinted runs a whole life of a card with a logger at debug
// level, prints everything that the library hands out, and looks for PINs and
// keys in it.
func TestSecretsAreNotPrinted(t *testing.T) {
	ctx := t.Context()
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	card := virtual.New()
	r := &rig{t: t, ctx: ctx, card: card, readers: virtual.Single(card)}
	r.module = must(cryptoki.Open(ctx, cryptoki.WithProvider(r.readers), cryptoki.WithLogger(logger)))(t)
	defer r.module.Close()
	r.look()
	const (
		so, user, next, wrong = "SOsecret", "usrPIN12", "newPIN34", "badPIN56"
		key, note             = "keykeykeykeykey!", "a very private note"
	)
	var out strings.Builder
	show := func(values ...any) {
		for _, v := range values {
			out.WriteString(printed(v))
		}
	}

	noError(t, r.token.Initialize(ctx, pin(so), "secrets"))
	s := r.open(true)
	show(s.Login(ctx, token.SO, pin(wrong)))
	noError(t, s.Login(ctx, token.SO, pin(so)))
	noError(t, s.InitPIN(ctx, pin(user)))
	show(s.InitPIN(ctx, pin(user+user)), s.InitPIN(ctx, pin(user[:2]+"\x00")))
	noError(t, s.Logout(ctx))
	show(s.Login(ctx, token.User, pin(wrong)), s.Login(ctx, token.User, pin(user+user)), s.Login(ctx, token.User, pin(wrong+"\x00")))
	noError(t, s.Login(ctx, token.User, pin(user)))
	show(s.SetPIN(ctx, pin(wrong), pin(next)), s.SetPIN(ctx, pin(user), pin(next+next)))
	noError(t, s.SetPIN(ctx, pin(user), pin(next)))
	noError(t, s.Logout(ctx))
	noError(t, s.Login(ctx, token.User, pin(next)))

	for _, kind := range []engine.Kind{engine.PrivateSession, engine.PrivateToken} {
		template := object.Template{
			object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrEncrypt.Is(true),
			object.AttrToken.Is(kind.Token()), object.AttrLabel.Is(kind.String()), object.AttrValue.Is([]byte(key)),
		}
		o := must(s.Create(ctx, template...))(t)
		_, err := s.Create(ctx, template.With(object.AttrValueLen.Is(99))...)
		show(o, err)
		secret := must(s.Create(ctx, data(kind, "note", object.AttrValue.Is([]byte(note)))...))(t)
		show(secret, s.Set(ctx, o, object.AttrValue.Is([]byte(key))), s.Destroy(ctx, nil))
	}
	show(s, must(s.Info())(t), r.token, r.module, s.Token(), must(r.token.Info(ctx))(t))
	show(pin(user), struct{ P token.PIN }{pin(user)}, &struct{ P *token.PIN }{new(token.PIN)}, errors.Join(ckr.PINIncorrect))
	p := pin(user)
	show(p, &p, []token.PIN{p}, map[string]token.PIN{"p": p})

	type hidden struct {
		p token.PIN
		s any
	}
	show(hidden{p, s}, &hidden{p, r.token}, []hidden{{p: p}})
	_, priv := pair(t, s, engine.PrivateToken, "k", object.AttrAlwaysAuthenticate.Is(true))
	op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)
	must(op.Write([]byte("a message")))(t)
	noError(t, op.Login(ctx, pin(next)))
	show(op, hidden{s: op}, must(s.Key(ctx, priv))(t))

	if log.Len() == 0 {
		t.Fatal("nothing was logged")
	}
	for _, secret := range []string{so, user, next, wrong, key, note} {
		if leak(out.String(), secret) {
			t.Errorf("%q is printed", secret)
		}
		if leak(log.String(), secret) {
			t.Errorf("%q is logged", secret)
		}
	}
}

// TestPINsAreCleared keeps the caller's PIN the caller's, and clears it with
// all its copies.
func TestPINsAreCleared(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.open(true)
	p := pin(userPIN)
	inside := p.Reveal()
	noError(t, s.Login(ctx, token.User, p))
	if string(p.Reveal()) != userPIN {
		t.Errorf("the caller's PIN has become %q", p.Reveal())
	}
	given := []byte(userPIN)
	token.NewPIN(given).Clear()
	if string(given) != userPIN {
		t.Error("the bytes that the PIN was made of were cleared, and are the caller's")
	}
	other := p
	p.Clear()
	if !bytes.Equal(inside, make([]byte, len(userPIN))) || other.Len() != 0 {
		t.Error("the PIN was not cleared")
	}
	noError(t, s.Logout(ctx))
	hasCode(t, s.Login(ctx, token.User, p), "CKR_PIN_LEN_RANGE|CKR_ARGUMENTS_BAD")
}
