package session_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"math"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestRandomAsksTheCardOnce keeps the transaction short, however much is
// wanted.
func TestRandomAsksTheCardOnce(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	for _, n := range []int{0, 1, 128, 129, 1 << 20} {
		before := r.card.Exchanges()
		one, other := must(s.Random(ctx, n))(t), must(s.Random(ctx, n))(t)
		if len(one) != n || n > 16 && bytes.Equal(one, other) {
			t.Errorf("%d bytes: got %d", n, len(one))
		}
		if got, most := r.card.Exchanges()-before, 2*min(n, 1); got > most {
			t.Errorf("%d bytes: %d exchanges, want at most %d", n, got, most)
		}
	}
	for _, n := range []int{-1, 1<<24 + 1, math.MaxInt} {
		_, err := s.Random(ctx, n)
		isCode(t, err, ckr.ArgumentsBad)
	}
}

// TestWhoGaveUpWaitsForNoKey generates what takes seconds.
func TestWhoGaveUpWaitsForNoKey(t *testing.T) {
	s := newRig(t).openAs(token.User)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.GenerateKey(ctx, mechanism.PBKDF2{Hash: crypto.SHA512, Salt: counted(8), Iterations: 10_000_000},
		object.AttrKeyType.Is(object.KeyAES), object.AttrValueLen.Is(32))
	isCode(t, err, ckr.FunctionCanceled)
	_, _, err = s.GenerateKeyPair(ctx, mechanism.RSAKeyPairGen{}, object.Template{object.AttrModulusBits.Is(4096)}, nil)
	isCode(t, err, ckr.FunctionCanceled)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
