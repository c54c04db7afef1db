package pkcs15_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/pkcs15"
)

// person types one line after the other on the keys of a reader.
type person struct{ lines []any }

func (p *person) Type(context.Context, virtual.Prompt) (string, error) {
	if len(p.lines) == 0 {
		return "", errors.New("asked too often")
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	if err, ok := line.(error); ok {
		return "", err
	}
	return line.(string), nil
}

// padToken returns a fresh token in a reader with keys.
func padToken(t *testing.T, who *person, opts ...virtual.Option) token.Token {
	t.Helper()
	p := virtual.NewProvider(virtual.Reader{
		Name: "Keys", Card: virtual.New(opts...), Pad: &virtual.PINPad{Type: who.Type},
	})
	l := slot.NewList(p, []driver.Driver{pkcs15.Driver()})
	t.Cleanup(func() { l.Close() })
	slots, err := l.Slots(t.Context(), true)
	must(t, err)
	tok, err := slots[0].Token(t.Context())
	must(t, err)
	must(t, tok.Initialize(t.Context(), token.NewPIN([]byte("87654321")), "keys"))
	return tok
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openSession(t *testing.T, tok token.Token) *session.Session {
	t.Helper()
	s, err := session.Open(t.Context(), tok, session.ReadWrite())
	must(t, err)
	return s
}

func TestPINsAreEnteredOnTheReader(t *testing.T) {
	who := &person{lines: []any{
		"87654321",                   // the SO logs in
		"123456", "123456", "123456", // sets the user's PIN; the user logs in
		"123456", "654321", "654321", // and changes it
		"654321", // and logs in again
	}}
	tok := padToken(t, who)
	info, err := tok.Info(t.Context())
	must(t, err)
	if !info.Flags.Has(token.FlagProtectedAuthPath) {
		t.Fatalf("the flags are %v", info.Flags)
	}
	ctx := t.Context()
	s := openSession(t, tok)
	must(t, s.Login(ctx, token.SO, token.Pad()))
	must(t, s.InitPIN(ctx, token.Pad()))
	must(t, s.Logout(ctx))
	must(t, s.Login(ctx, token.User, token.Pad()))
	must(t, s.SetPIN(ctx, token.Pad(), token.Pad()))
	must(t, s.Logout(ctx))
	must(t, s.Login(ctx, token.User, token.Pad()))
	if len(who.lines) > 0 {
		t.Errorf("%d lines are left", len(who.lines))
	}
}

func TestPINEntryThatFailsSaysHow(t *testing.T) {
	var verified atomic.Int32
	count := virtual.Observe(func(command, _ []byte) {
		if command[1] == 0x20 && len(command) > 5 {
			verified.Add(1)
		}
	})
	who := &person{}
	tok := padToken(t, who, count)
	ctx := t.Context()
	s := openSession(t, tok)
	login := func() error { return s.Login(ctx, token.SO, token.Pad()) }
	change := func() error { return s.SetPIN(ctx, token.Pad(), token.Pad()) }
	who.lines = []any{"87654321", "123456", "123456"}
	must(t, login())
	must(t, s.InitPIN(ctx, token.Pad()))
	must(t, s.Logout(ctx))
	verified.Store(0)
	for _, test := range []struct {
		name  string
		lines []any
		do    func() error
		want  ckr.Code
		says  string
		tries int32 // that reach the card
	}{
		{"cancelled", []any{virtual.ErrCancelKey}, login, ckr.FunctionCanceled, "cancelled", 0},
		{"too late", []any{virtual.ErrNoKey}, login, ckr.FunctionCanceled, "in time", 0},
		{"too short", []any{"1"}, login, ckr.PINLenRange, "too short", 0},
		{"wrong", []any{"11111111"}, login, ckr.PINIncorrect, "", 1},
		{"new PINs differ", []any{"123456", "654321", "654320"}, change, ckr.PINInvalid, "differ", 0},
		{"change cancelled", []any{"123456", virtual.ErrCancelKey}, change, ckr.FunctionCanceled, "cancelled", 0},
		{"change with the wrong PIN", []any{"111111", "654321", "654321"}, change, ckr.PINIncorrect, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			verified.Store(0)
			who.lines = test.lines
			err := test.do()
			if ckr.Of(err) != test.want || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if n := verified.Load(); n != test.tries {
				t.Errorf("%d tries reached the card", n)
			}
		})
	}
	if err := s.Login(ctx, token.SO, token.PIN{}); ckr.Of(err) != ckr.ArgumentsBad {
		t.Errorf("no PIN at all: %v", err)
	}
}

// A key that asks for the PIN at each use has it entered once a use.
func TestConsentIsEnteredOnceAUse(t *testing.T) {
	who := &person{lines: []any{"87654321", "123456", "123456", "123456"}}
	tok := padToken(t, who)
	ctx := t.Context()
	s := openSession(t, tok)
	must(t, s.Login(ctx, token.SO, token.Pad()))
	must(t, s.InitPIN(ctx, token.Pad()))
	must(t, s.Logout(ctx))
	must(t, s.Login(ctx, token.User, token.Pad()))
	common := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{1})}
	p256 := []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}
	_, priv, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{},
		common.With(object.AttrECParams.Is(p256)), common.With(object.AttrAlwaysAuthenticate.Is(true)))
	must(t, err)
	for _, test := range []struct {
		line any
		want ckr.Code
	}{{"123456", ckr.OK}, {"654321", ckr.PINIncorrect}, {virtual.ErrCancelKey, ckr.FunctionCanceled}, {"123456", ckr.OK}} {
		who.lines = []any{test.line}
		op, err := s.NewSign(ctx, mechanism.ECDSA{}, priv)
		must(t, err)
		_, err = op.Write(make([]byte, 32))
		must(t, err)
		must(t, op.Login(ctx, token.Pad()))
		if _, err := op.Sum(ctx); ckr.Of(err) != test.want || len(who.lines) > 0 {
			t.Errorf("%v: %v, %d entries left", test.line, err, len(who.lines))
		}
	}
}

// A card in a reader without keys does not take a PIN from them.
func TestNoEntryWithoutKeys(t *testing.T) {
	l := slot.NewList(virtual.Single(virtual.New()), []driver.Driver{pkcs15.Driver()})
	defer l.Close()
	slots, err := l.Slots(t.Context(), true)
	must(t, err)
	tok, err := slots[0].Token(t.Context())
	must(t, err)
	must(t, tok.Initialize(t.Context(), token.NewPIN([]byte("87654321")), "no keys"))
	info, err := tok.Info(t.Context())
	must(t, err)
	if info.Flags.Has(token.FlagProtectedAuthPath) {
		t.Errorf("the flags are %v", info.Flags)
	}
	s := openSession(t, tok)
	if err := s.Login(t.Context(), token.SO, token.Pad()); ckr.Of(err) != ckr.ArgumentsBad {
		t.Errorf("got %v", err)
	}
}
