package p11kit

import (
	"bytes"
	"context"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// A key that was wrapped to tell its length is not wrapped a second time to be
// fetched; but it is for another key, and for somebody who has logged out.
func TestWrappedKeyWaitsToBeFetched(t *testing.T) {
	ctx := t.Context()
	card, err := cardtest.Card(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	a := &application{root: m}
	if err := a.initialize(ctx); err != nil {
		t.Fatal(err)
	}
	defer a.end()
	tok, err := a.token(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(ctx, tok)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{app: a, s: s}
	h, err := a.add(c)
	if err != nil {
		t.Fatal(err)
	}
	secret := func(private bool) uint64 {
		o, err := s.GenerateKey(ctx, mechanism.AESKeyGen{}, object.AttrValueLen.Is(16), object.AttrExtractable.Is(true),
			object.AttrWrap.Is(true), object.AttrPrivate.Is(private), object.AttrSensitive.Is(false))
		if err != nil {
			t.Fatal(err)
		}
		return c.give(o)
	}
	wrap := func(by, key uint64, room uint32) ([]byte, int, ckr.Code) {
		var req, answer writer
		req.ulong(h)
		req.mech(uint32(mechanism.TypeAESKeyWrap))
		req.ulong(by)
		req.ulong(key)
		req.u32(room)
		r := &reader{b: req.b}
		if code := ckr.Of(wrapKey(context.Background(), a, r, &answer)); code != ckr.OK {
			return nil, 0, code
		}
		got := &reader{b: answer.b}
		if got.byte() == 0 {
			return nil, int(got.u32()), ckr.OK
		}
		b := bytes.Clone(got.array())
		return b, len(b), ckr.OK
	}

	if err := s.Login(ctx, token.User, pin([]byte(cardtest.PIN))); err != nil {
		t.Fatal(err)
	}
	by, one, other := secret(false), secret(true), secret(false)
	for _, room := range []uint32{0, 5} {
		if b, n, code := wrap(by, one, room); b != nil || n != 24 || code != ckr.OK {
			t.Fatalf("room for %d: %x, length %d, %v", room, b, n, code)
		}
	}
	kept := bytes.Repeat([]byte{'k'}, 24)
	copy(c.wrap.result, kept)
	if b, _, code := wrap(by, other, 100); code != ckr.OK || bytes.Equal(b, kept) {
		t.Errorf("another key: %x, %v", b, code)
	}
	wrap(by, one, 0)
	copy(c.wrap.result, kept)
	if b, _, code := wrap(by, one, 100); code != ckr.OK || !bytes.Equal(b, kept) {
		t.Errorf("the key that was asked for: %x, %v", b, code)
	}
	if b, _, code := wrap(by, one, 100); code != ckr.OK || bytes.Equal(b, kept) {
		t.Errorf("once more: %x, %v", b, code)
	}
	wrap(by, one, 0)
	if err := s.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	if b, _, code := wrap(by, one, 100); code != ckr.KeyHandleInvalid {
		t.Errorf("after the logout: %x, %v", b, code)
	}
}
