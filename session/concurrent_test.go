package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestCloseOfTheLastSessionWhileAnotherOpens lets one goroutine close what is
// the last session at times, while others open some: a session that was opened
// is open, until its owner closes it.
func TestCloseOfTheLastSessionWhileAnotherOpens(t *testing.T) {
	r := newRig(t)
	ctx := r.ctx
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 40 {
				s, err := session.Open(ctx, r.token, session.ReadWrite())
				if err != nil {
					t.Error(err)
					return
				}
				err = s.Login(ctx, token.User, pin(userPIN))
				if err != nil && !errors.Is(err, ckr.UserAlreadyLoggedIn) {
					t.Error(err)
				}
				if _, err := s.Create(ctx, data(engine.PublicSession, "o")...); err != nil {
					t.Error(err)
				}
				if _, err := s.Info(); err != nil {
					t.Error(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s := r.open(true)
	inState(t, s, token.RWPublic)
	if left := find(t, s); len(left) > 0 {
		t.Errorf("%d objects are left", len(left))
	}
	if r.raw().verified(rawUser) {
		t.Error("the card still holds the PIN verified")
	}
}

// TestManyGoroutines lets sixteen goroutines of two applications do all sorts
// of things to one card: each sees its own writes, and errors are those that
// the others' doings can bring about.
func TestManyGoroutines(t *testing.T) {
	a := newRig(t)
	b := a.application()
	keeper := a.openAs(token.User)
	pair(t, keeper, engine.PrivateToken, "shared")
	var all sync.WaitGroup
	for i := range 16 {
		r := []*rig{a, b}[i%2]
		all.Go(func() {
			w := &worker{t: t, rig: r, name: fmt.Sprint(i), rand: rand.New(rand.NewPCG(uint64(i), 1))}
			for range 12 {
				w.turn()
			}
		})
	}
	all.Wait()
	if err := keeper.Login(a.ctx, token.User, pin(userPIN)); err != nil {
		isCode(t, err, ckr.UserAlreadyLoggedIn)
	}
	priv, _ := labelled(t, keeper, "shared", object.AttrClass.Is(object.ClassPrivateKey))
	must(keeper.Sign(a.ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
	// Private objects may be left, of those who were logged out at the wrong
	// time; all are whole, and can be destroyed.
	for _, o := range find(t, keeper, object.AttrClass.Is(object.ClassData)) {
		if !must(object.Get(a.ctx, o, object.AttrPrivate))(t) {
			t.Errorf("%v is left", must(object.Get(a.ctx, o, object.AttrLabel))(t))
		}
		must(object.Get(a.ctx, o, object.AttrValue))(t)
		noError(t, keeper.Destroy(a.ctx, o))
	}
}

// worker is one of many goroutines.
type worker struct {
	t    *testing.T
	name string
	*rig
	rand *rand.Rand
}

// may reports an error that is not among those that others can bring about.
func (w *worker) may(what string, err error, codes ...ckr.Code) {
	if err != nil && !slices.Contains(codes, ckr.Of(err)) {
		w.t.Errorf("worker %s: %s: %v", w.name, what, err)
	}
}

func (w *worker) turn() {
	ctx := w.ctx
	s, err := session.Open(ctx, w.token, session.ReadWrite())
	if err != nil {
		w.t.Error(err)
		return
	}
	defer s.Close()
	w.may("login", s.Login(ctx, token.User, pin(userPIN)), ckr.UserAlreadyLoggedIn)
	for range 6 {
		switch w.rand.IntN(6) {
		case 0:
			w.object(s)
		case 1:
			w.sign(s)
		case 2:
			for _, err := range s.Find(ctx) {
				w.may("find", err)
			}
		case 3:
			short, cancel := context.WithCancel(ctx)
			cancel()
			_, err := s.Create(short, data(engine.PublicToken, "cancelled "+w.name)...)
			w.may("cancelled create", err, ckr.FunctionCanceled)
		case 4:
			_, err := s.Random(ctx, 16)
			w.may("random", err)
		case 5:
			if w.rand.IntN(4) == 0 {
				w.may("logout", s.Logout(ctx), ckr.UserNotLoggedIn)
			}
		}
	}
}

// object makes, reads, changes and destroys an object of its own.
func (w *worker) object(s *session.Session) {
	ctx := w.ctx
	kind := engine.Kind(w.rand.IntN(4))
	label := fmt.Sprintf("%s %d", w.name, w.rand.IntN(1000))
	o, err := s.Create(ctx, data(kind, label)...)
	// Another goroutine of the application may log out at any time.
	loggedOut := []ckr.Code{ckr.UserNotLoggedIn, ckr.ObjectHandleInvalid}
	if !kind.Private() {
		loggedOut = nil
	}
	if w.may("create", err, loggedOut...); err != nil {
		return
	}
	got, err := object.Get(ctx, o, object.AttrValue)
	if w.may("read", err, loggedOut...); err == nil && string(got) != "value of "+label {
		w.t.Errorf("read %q of %q", got, label)
	}
	w.may("set", s.Set(ctx, o, object.AttrLabel.Is(label+"!")), loggedOut...)
	w.may("destroy", s.Destroy(ctx, o), loggedOut...)
}

func (w *worker) sign(s *session.Session) {
	for o, err := range s.Find(w.ctx, object.AttrClass.Is(object.ClassPrivateKey)) {
		if w.may("find", err); err != nil {
			return
		}
		_, err = s.Sign(w.ctx, mechanism.ECDSA{}, o, make([]byte, 32))
		w.may("sign", err, ckr.UserNotLoggedIn, ckr.KeyHandleInvalid)
	}
}
