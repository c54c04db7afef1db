package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// task is something that programs do with a card. A fault may leave the card
// with other labels than before only if the task writes.
type task struct {
	name   string
	writes bool
	pins   int // PINs that the task sends when all goes well
	run    func(r *rig, s *session.Session) error
}

var tasks = []task{
	{"open and list", false, 0, func(r *rig, _ *session.Session) error {
		s, err := session.Open(r.ctx, r.token)
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = r.tryLabels(s)
		return err
	}},
	{"log in and sign", false, 1, func(r *rig, s *session.Session) error {
		if err := s.Logout(r.ctx); err != nil {
			return err
		}
		if err := s.Login(r.ctx, token.User, pin(userPIN)); err != nil {
			return err
		}
		key, err := r.tryKey(s, "k")
		if err != nil {
			return err
		}
		return r.sign(s, key)
	}},
	{"decrypt", false, 0, func(r *rig, s *session.Session) error {
		for key, err := range s.Find(r.ctx, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("rsa")) {
			if err != nil {
				return err
			}
			_, err := s.Decrypt(r.ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, append([]byte{0}, bytes.Repeat([]byte{7}, 127)...))
			return err
		}
		return ckr.New(ckr.KeyHandleInvalid, "find the key", nil)
	}},
	{"create an object", true, 0, func(r *rig, s *session.Session) error {
		_, err := s.Create(r.ctx, data("new", true)...)
		return err
	}},
	{"generate a key pair", true, 0, func(r *rig, s *session.Session) error {
		common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1})}
		_, _, err := s.GenerateKeyPair(r.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
		return err
	}},
	{"destroy", true, 0, func(r *rig, s *session.Session) error {
		for o, err := range s.Find(r.ctx, object.AttrLabel.Is("private")) {
			if err != nil {
				return err
			}
			return s.Destroy(r.ctx, o)
		}
		return ckr.New(ckr.ObjectHandleInvalid, "find the object", nil)
	}},
	{"change the PIN", true, 1, func(r *rig, s *session.Session) error { return s.SetPIN(r.ctx, pin(userPIN), pin(newPIN)) }},
	{"initialise", true, 1, func(r *rig, s *session.Session) error {
		if err := s.Close(); err != nil {
			return err
		}
		return r.token.Initialize(r.ctx, pin(soPIN), "again")
	}},
}

// kind is a fault: what becomes of an exchange.
type kind struct {
	name   string
	harm   func(r *rig, next func() ([]byte, error)) ([]byte, error)
	pulled bool
}

func refuse(sw uint16) kind {
	return kind{fmt.Sprintf("%04X", sw), func(*rig, func() ([]byte, error)) ([]byte, error) {
		return []byte{byte(sw >> 8), byte(sw)}, nil
	}, false}
}

func fail(name string, err error, executed bool) kind {
	return kind{name, func(_ *rig, next func() ([]byte, error)) ([]byte, error) {
		if executed {
			next()
		}
		return nil, err
	}, false}
}

func rewrite(name string, f func(a []byte) []byte) kind {
	return kind{name, func(_ *rig, next func() ([]byte, error)) ([]byte, error) {
		a, err := next()
		if err == nil {
			a = f(slices.Clone(a))
		}
		return a, err
	}, false}
}

var kinds = []kind{
	{"pulled before", func(r *rig, _ func() ([]byte, error)) ([]byte, error) {
		r.readers.Remove(reader)
		return nil, apdu.ErrRemoved
	}, true},
	{"pulled after", func(r *rig, next func() ([]byte, error)) ([]byte, error) {
		next()
		r.readers.Remove(reader)
		return nil, fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrUnsure)
	}, true},
	{"reset before", func(r *rig, next func() ([]byte, error)) ([]byte, error) {
		r.readers.Reset(reader)
		return next()
	}, false},
	{"reset after", func(r *rig, next func() ([]byte, error)) ([]byte, error) {
		a, err := next()
		r.readers.Reset(reader)
		return a, err
	}, false},
	fail("link", apdu.ErrLink, false), fail("answer lost", apdu.ErrUnsure, true), fail("strange", errors.New("strange"), false),
	refuse(0x6F00), refuse(0x6982), refuse(0x6581), refuse(0x6A84), refuse(0x6D00), refuse(0x6C01), refuse(0x6100), refuse(0x0000),
	rewrite("empty", func([]byte) []byte { return nil }),
	rewrite("one byte", func(a []byte) []byte { return a[:1] }),
	rewrite("no data", func(a []byte) []byte { return a[len(a)-2:] }),
	rewrite("half", func(a []byte) []byte { return append(a[:(len(a)-2)/2], a[len(a)-2:]...) }),
	rewrite("more", func(a []byte) []byte { return append(make([]byte, 300), a...) }),
	rewrite("zeros", func(a []byte) []byte { return make([]byte, len(a)) }),
	rewrite("flipped", func(a []byte) []byte { a[0] ^= 0x55; return a }),
}

// prepared is a card for the tasks, with an RSA key if it is asked for.
func prepared(t *testing.T, x task) (*rig, *session.Session) {
	t.Helper()
	if x.name == "decrypt" {
		r, s, _, _ := rsaRig(t)
		return r, s
	}
	r := newRig(t)
	return r, r.user()
}

// TestExhaustive runs each task once for each of its exchanges and each kind
// of fault, and looks whether the promises are kept: the error is one of those
// documented and holds no PIN, no transaction is open, no try is lost beyond
// the one that was entered, and the card is whole for another program.
func TestExhaustive(t *testing.T) {
	runs := 0
	for _, x := range tasks {
		t.Run(x.name, func(t *testing.T) {
			r, s := prepared(t, x)
			r.wire.forget()
			r.ok(x.run(r, s))
			n := len(r.wire.sent())
			for at := 1; at <= n; at++ {
				for i, k := range kinds {
					part := i%5 == at%5 && at%2 == 1 && x.name != "decrypt"
					if !*exhaustive && !part {
						continue
					}
					runs++
					if !faulted(t, x, at, k) {
						return
					}
				}
			}
		})
	}
	t.Logf("%d runs", runs)
}

// faulted runs a task with one fault.
func faulted(t *testing.T, x task, at int, k kind) bool {
	return t.Run(fmt.Sprintf("%d/%s", at, k.name), func(t *testing.T) {
		r, s := prepared(t, x)
		r.wire.forget()
		i := 0
		r.wire.set(func(w *wire) {
			w.transmit = func(_ context.Context, _ []byte, next func() ([]byte, error)) ([]byte, error) {
				if i++; i == at {
					return k.harm(r, next)
				}
				return next()
			}
		})
		err := x.run(r, s)
		r.wire.heal()
		if err != nil {
			r.code(err, documented...)
			for _, secret := range []string{userPIN, soPIN, newPIN} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds a PIN: %v", err)
				}
			}
		}
		if n := r.wire.open(); n != 0 {
			t.Errorf("%d transactions are open", n)
		}
		if n := r.wire.pins(); n > x.pins+2 {
			t.Errorf("%d PINs were sent", n)
		}
		if k.pulled {
			r.ok(r.readers.Insert(reader, r.card))
		}
		r.whole(x)
	})
}

// whole checks as another program that the card holds what it should.
func (r *rig) whole(x task) {
	r.Helper()
	other := r.stranger()
	info := must(other.token.Info(r.ctx))(r)
	if x.name == "initialise" {
		if !info.Flags.Has(token.FlagTokenInitialized) || !info.Flags.Has(token.FlagUserPINInitialized) {
			r.ok(other.token.Initialize(r.ctx, pin(soPIN), "again"))
			return
		}
	}
	s := other.open(true)
	err := s.Login(r.ctx, token.User, pin(userPIN))
	if x.name == "change the PIN" && ckr.Of(err) == ckr.PINIncorrect {
		err = s.Login(r.ctx, token.User, pin(newPIN))
	} else if err == nil && x.name != "change the PIN" {
		r.ok(s.Logout(r.ctx))
		var e *ckr.Error
		if wrong := s.Login(r.ctx, token.User, pin(wrongPIN)); !errors.As(wrong, &e) || e.Tries != (ckr.Tries{Left: 2, Known: true}) {
			r.Errorf("a try is lost: %v", wrong)
		}
		err = s.Login(r.ctx, token.User, pin(userPIN))
	}
	r.ok(err)
	labels := other.labels(s)
	for _, want := range []string{"k", "public"} {
		if !slices.Contains(labels, want) {
			r.Errorf("%q is not among %q", want, labels)
		}
	}
	if !x.writes && !slices.Contains(labels, "private") || slices.ContainsFunc(labels, func(l string) bool { return strings.Contains(l, "damaged") }) {
		r.Errorf("the card holds %q", labels)
	}
	r.ok(other.sign(s, other.key(s, "k")))
}
