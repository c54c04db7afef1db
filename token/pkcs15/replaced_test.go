package pkcs15_test

import (
	"bytes"
	"context"
	"iter"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
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

// process is a program of its own on the readers of another one.
type process struct {
	apdu.SharedState
	p *virtual.Provider
}

func (p *process) Readers(ctx context.Context) ([]string, error) { return p.p.Readers(ctx) }
func (p *process) Connect(ctx context.Context, reader string) (apdu.Transport, error) {
	return p.p.Connect(ctx, reader)
}
func (p *process) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] { return p.p.Watch(ctx) }

// user opens a session of another process, with the user logged in.
func user(t *testing.T, p *virtual.Provider) *session.Session {
	t.Helper()
	l := slot.NewList(&process{p: p}, []driver.Driver{pkcs15.Driver()})
	t.Cleanup(func() { l.Close() })
	slots, err := l.Slots(t.Context(), true)
	if err != nil || len(slots) != 1 {
		t.Fatal(len(slots), err)
	}
	tok, err := slots[0].Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := tok.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	so, pin := token.NewPIN([]byte("87654321")), token.NewPIN([]byte("123456"))
	if !info.Flags.Has(token.FlagTokenInitialized) {
		if err := tok.Initialize(t.Context(), so, "replaced"); err != nil {
			t.Fatal(err)
		}
	}
	s, err := session.Open(t.Context(), tok, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	if !info.Flags.Has(token.FlagTokenInitialized) {
		if err := s.Login(t.Context(), token.SO, so); err != nil {
			t.Fatal(err)
		}
		if err := s.InitPIN(t.Context(), pin); err != nil {
			t.Fatal(err)
		}
		if err := s.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Login(t.Context(), token.User, pin); err != nil {
		t.Fatal(err)
	}
	return s
}

// An AES key has no public half. It is known by its check value: another one
// that programs put into its file, with the same id and label, is another key.
func TestSecretKeyIsReplacedBehindAHandle(t *testing.T) {
	ctx := t.Context()
	p := virtual.Single(virtual.New())
	holder := user(t, p)
	make16 := func(s *session.Session, b byte) *object.Object {
		t.Helper()
		o, err := s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES),
			object.AttrToken.Is(true), object.AttrID.Is([]byte{1}), object.AttrLabel.Is("aes"), object.AttrEncrypt.Is(true),
			object.AttrDecrypt.Is(true), object.AttrValue.Is(bytes.Repeat([]byte{b}, 16)))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	held := make16(holder, 1)
	plain := make([]byte, 16)
	first, err := holder.Encrypt(ctx, mechanism.AESECB{}, held, plain)
	if err != nil {
		t.Fatal(err)
	}
	remover := user(t, p)
	for o, err := range remover.Find(ctx, object.AttrLabel.Is("aes")) {
		if err != nil {
			t.Fatal(err)
		}
		if err := remover.Destroy(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	make16(user(t, p), 2) // a process that never saw the first
	second, err := holder.Encrypt(ctx, mechanism.AESECB{}, held, plain)
	if err == nil {
		t.Errorf("the handle encrypts by another key: %x, and before %x", second, first)
	} else if ckr.Of(err) != ckr.KeyHandleInvalid {
		t.Error(err)
	}
}
