package session_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestUserAndSOInTwoApplications has two applications logged in at once in
// different roles.
func TestUserAndSOInTwoApplications(t *testing.T) {
	ctx := t.Context()
	a := newRig(t)
	b := a.application()
	so, user := a.openAs(token.SO), b.openAs(token.User)
	_, priv := pair(t, user, engine.PrivateToken, "k")
	noError(t, so.InitPIN(ctx, pin("111111")))
	must(user.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
	b.logout(user)
	noError(t, so.InitPIN(ctx, pin("222222")))
	noError(t, user.Login(ctx, token.User, pin("222222")))
	inState(t, so, token.RWSO)
	a.logout(so)
	inState(t, user, token.RWUser)
}

// TestWrongPINOfOneApplicationKeepsTheOthersLogin has one application enter a
// wrong PIN while another one is logged in.
func TestWrongPINOfOneApplicationKeepsTheOthersLogin(t *testing.T) {
	for _, persona := range []virtual.Persona{virtual.MyEID500(), virtual.OsEID452()} {
		ctx := t.Context()
		a := newRig(t, virtual.As(persona))
		b := a.application()
		mine, other := a.openAs(token.User), b.open(true)
		_, priv := pair(t, mine, engine.PrivateToken, "k")
		for range 2 {
			isCode(t, other.Login(ctx, token.User, pin(wrongPIN)), ckr.PINIncorrect)
			inState(t, mine, token.RWUser)
			inState(t, other, token.RWPublic)
			// The login is restored with the PIN that is kept, which resets the
			// counter.
			must(mine.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
		}
		_, err := other.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
		isCode(t, err, ckr.KeyHandleInvalid)
	}
}

// TestKeptPINIsNotSpent has one application spend all tries but one: the kept
// PIN of the other one is not sent, since it may be wrong by now.
func TestKeptPINIsNotSpent(t *testing.T) {
	ctx := t.Context()
	a := newRig(t)
	b := a.application()
	mine, other := a.openAs(token.User), b.open(true)
	_, priv := pair(t, mine, engine.PrivateToken, "k")
	for range 2 {
		isCode(t, other.Login(ctx, token.User, pin(wrongPIN)), ckr.PINIncorrect)
	}
	_, err := mine.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
	isCode(t, err, ckr.UserNotLoggedIn)
	inState(t, mine, token.RWPublic)
	err = other.Login(ctx, token.User, pin(wrongPIN))
	isCode(t, err, ckr.PINLocked)
}

// TestResetByAnotherProgramLogsOut resets the card while the user is logged
// in: the PIN is not sent by itself.
func TestResetByAnotherProgramLogsOut(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	r := newRig(t, w.option())
	s := r.openAs(token.User)
	other := r.application().openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	public := must(s.Create(ctx, data(engine.PublicToken, "public")...))(t)
	mine := must(s.Create(ctx, data(engine.PrivateSession, "mine")...))(t)
	op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)

	noError(t, r.readers.Reset(reader))
	w.forget()
	_, err := s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
	isCode(t, err, ckr.UserNotLoggedIn)
	inState(t, s, token.RWPublic)
	inState(t, other, token.RWPublic)
	_, err = op.Sum(ctx)
	isCode(t, err, ckr.UserNotLoggedIn)
	_, err = s.Attributes(ctx, mine, object.AttrLabel.Type)
	isCode(t, err, ckr.ObjectHandleInvalid)
	// What is public goes on.
	must(s.Attributes(ctx, public, object.AttrLabel.Type))(t)
	if diff := cmp.Diff([]string{"k", "public"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	if n := w.count(0x20); n > 0 {
		t.Errorf("%d VERIFY commands were sent", n)
	}
	r.login(s, token.User)
	key, _ := labelled(t, s, "k", object.AttrClass.Is(object.ClassPrivateKey))
	must(s.Sign(ctx, mechanism.ECDSA{}, key, make([]byte, 32)))(t)
}

// TestVerificationOfAnotherProgramIsNotOurs leaves the card verified by another
// program: nobody here is logged in by it, and nothing is sent.
func TestVerificationOfAnotherProgramIsNotOurs(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	r := newRig(t, w.option())
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	o := must(s.Create(ctx, data(engine.PrivateToken, "secret")...))(t)
	r.logout(s)
	raw := r.raw()
	raw.application()
	raw.verify(rawUser, userPIN)
	w.forget()

	_, err := s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
	isCode(t, err, ckr.KeyHandleInvalid)
	_, err = s.Attributes(ctx, o, object.AttrValue.Type)
	isCode(t, err, ckr.ObjectHandleInvalid)
	_, err = s.Create(ctx, data(engine.PrivateToken, "new")...)
	isCode(t, err, ckr.UserNotLoggedIn)
	for _, empty := range []token.PIN{{}, pin("")} {
		hasCode(t, s.Login(ctx, token.User, empty), "CKR_PIN_LEN_RANGE|CKR_ARGUMENTS_BAD")
	}
	inState(t, s, token.RWPublic)
	if len(w.commands) > 0 {
		t.Errorf("the card saw %X", w.commands)
	}
	if _, ok := labelled(t, s, "secret"); ok {
		t.Error("the private object is found")
	}
}

// TestForeignVisitKeepsOurLogin has another program select and verify between
// our commands.
func TestForeignVisitKeepsOurLogin(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	raw := r.raw()
	for range 3 {
		raw.send(0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00)
		must(s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
		raw.application()
		raw.verify(rawSO, soPIN)
		must(s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
	}
	inState(t, s, token.RWUser)
}

// TestObjectsOfAnotherProgramShowUp has another application of another
// provider, that is, another program, write to the card.
func TestObjectsOfAnotherProgramShowUp(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.open(true)
	gone := must(s.Create(ctx, data(engine.PublicToken, "gone")...))(t)
	if diff := cmp.Diff([]string{"gone"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}

	foreign := foreignRig(t, r)
	f := foreign.open(true)
	must(f.Create(ctx, data(engine.PublicToken, "new")...))(t)
	o, _ := labelled(t, f, "gone")
	noError(t, f.Destroy(ctx, o))

	if diff := cmp.Diff([]string{"new"}, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	_, err := s.Attributes(ctx, gone, object.AttrLabel.Type)
	isCode(t, err, ckr.ObjectHandleInvalid)
	isCode(t, s.Destroy(ctx, gone), ckr.ObjectHandleInvalid)
}

// TestFindHoldsNothingWhileItYields calls the library from within a search.
func TestFindHoldsNothingWhileItYields(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	for _, label := range []string{"a", "b", "c"} {
		must(s.Create(ctx, data(engine.PrivateToken, label)...))(t)
	}
	other := r.application()
	var seen []string
	for o, err := range s.Find(ctx) {
		noError(t, err)
		seen = append(seen, must(object.Get(ctx, o, object.AttrLabel))(t))
		if len(seen) == 1 {
			// Another application has the card meanwhile.
			done := make(chan error, 1)
			go func() {
				f, err := session.Open(ctx, other.token, session.ReadWrite())
				if err == nil {
					err = f.Login(ctx, token.User, pin(userPIN))
				}
				done <- err
			}()
			noError(t, <-done)
		}
		find(t, s)
		must(s.Create(ctx, data(engine.PublicToken, "made in the loop")...))(t)
		noError(t, s.Destroy(ctx, o))
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, seen); diff != "" {
		t.Error(diff)
	}
}

// TestFindAfterLogoutYieldsNothingPrivate logs out within a search.
func TestFindAfterLogoutYieldsNothingPrivate(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	for _, label := range []string{"a", "b"} {
		must(s.Create(ctx, data(engine.PrivateToken, label)...))(t)
		must(s.Create(ctx, data(engine.PublicToken, label+" public")...))(t)
	}
	first := true
	for o, err := range s.Find(ctx) {
		noError(t, err)
		if first {
			r.logout(s)
			first = false
			continue
		}
		private, err := object.Get(ctx, o, object.AttrPrivate)
		if err != nil || private {
			t.Errorf("after the logout the search yields %v: private %v, %v", o, private, err)
		}
	}
}

// TestHiddenAttributesNeverMatch searches for secret values, the right ones
// among them.
func TestHiddenAttributesNeverMatch(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	value := []byte("0123456789abcdef")
	for _, kind := range []engine.Kind{engine.PublicSession, engine.PrivateSession, engine.PrivateToken} {
		must(s.Create(ctx, object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES),
			object.AttrToken.Is(kind.Token()), object.AttrPrivate.Is(kind.Private()),
			object.AttrLabel.Is(kind.String()), object.AttrValue.Is(value)))(t)
	}
	if found := labels(t, s, object.AttrValue.Is(value)); len(found) > 0 {
		t.Errorf("the right value finds %q", found)
	}
	for _, o := range find(t, s) {
		_, err := object.Get(ctx, o, object.AttrValue)
		isCode(t, err, ckr.AttributeSensitive)
		for _, v := range must(s.Attributes(ctx, o))(t) {
			if bytes.Contains(v.Bytes(), value) {
				t.Errorf("%v has the value in %v", o, v.Type)
			}
		}
	}
	// Of what may be read, the value finds.
	must(s.Create(ctx, data(engine.PrivateToken, "d", object.AttrValue.Is(value))...))(t)
	if diff := cmp.Diff([]string{"d"}, labels(t, s, object.AttrValue.Is(value))); diff != "" {
		t.Error(diff)
	}
}

// TestBadHandles gives handles that mean nothing to everything that takes one.
func TestBadHandles(t *testing.T) {
	ctx := t.Context()
	r := newRig(t)
	s := r.openAs(token.User)
	own := must(s.Create(ctx, data(engine.PublicSession, "o")...))(t)
	foreignSession := r.application().openAs(token.User)
	foreign := must(foreignSession.Create(ctx, data(engine.PublicSession, "f")...))(t)
	for name, o := range map[string]*object.Object{
		"nil":         nil,
		"zero value":  new(object.Object),
		"handle 0":    object.New(r.token.(*engine.Token), 0, object.ClassPrivateKey),
		"forged":      object.New(r.token.(*engine.Token), own.Handle(), object.ClassPrivateKey),
		"unknown":     object.New(r.token.(*engine.Token), 1<<60, object.ClassPrivateKey),
		"of another":  foreign,
		"sourceless ": object.New(nil, own.Handle(), object.ClassPrivateKey),
	} {
		for call, f := range calls(ctx, s, o, o, o) {
			switch call {
			case "Close", "Create", "Digest", "Find", "GenerateKey", "GenerateKeyPair", "Info", "InitPIN", "Login", "Logout", "NeedsLogin",
				"NewDigest", "Random", "ResumeDigest", "SeedRandom", "SetPIN", "StoreCertificate", "UnblockPIN":
				continue // they take no handle
			}
			switch code := ckr.Of(f()); code {
			case ckr.ObjectHandleInvalid, ckr.KeyHandleInvalid, ckr.WrappingKeyHandleInvalid, ckr.UnwrappingKeyHandleInvalid:
			default:
				t.Errorf("%s with a handle that is %s: %v", call, name, code)
			}
		}
		if _, err := object.Get(ctx, o, object.AttrLabel); name != "of another" && ckr.Of(err) != ckr.ObjectHandleInvalid {
			t.Errorf("get with a handle that is %s: %v", name, err)
		}
	}
	must(s.Attributes(ctx, own))(t)
}

// TestCancelledCallersReturnAtOnce calls everything with a context that has
// ended, and with one that ends while another program has the card.
func TestCancelledCallersReturnAtOnce(t *testing.T) {
	r := newRig(t)
	s := r.openAs(token.User)
	o := must(s.Create(r.ctx, data(engine.PublicToken, "o")...))(t)
	pub, priv := pair(t, s, engine.PrivateToken, "k")
	before := r.card.Exchanges()
	ended, cancel := context.WithCancel(r.ctx)
	cancel()
	for name, call := range calls(ended, s, o, pub, priv) {
		if name == "Close" || name == "Logout" {
			continue
		}
		if err := call(); err != nil && ckr.Of(err) != ckr.FunctionCanceled {
			switch name {
			case "Decrypt", "Derive", "Encrypt", "NewDecrypt", "InitPIN", "Login", "Verify", "ResumeDigest", "Decapsulate", "Encapsulate",
				"Wrap", "WrapAuthenticated", "Unwrap", "UnwrapAuthenticated", "NewKeyOp", "NewEncrypt",
				"NewEncryptMessages", "NewDecryptMessages", "SignRecover", "VerifyRecover", "SeedRandom", "DeriveKeys":
				continue // refused before the context is looked at
			}
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := r.card.Exchanges() - before; n > 0 {
		t.Errorf("the card saw %d commands", n)
	}
	inState(t, s, token.RWUser)
	must(s.Sign(r.ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
}

// TestCancelledWhileTheCardIsTaken waits for the card that another program
// holds, and gives up.
func TestCancelledWhileTheCardIsTaken(t *testing.T) {
	r := newRig(t)
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	other := r.raw()
	begun := must(other.begin())(t)
	ctx, cancel := context.WithCancelCause(r.ctx)
	done := make(chan error)
	go func() {
		_, err := s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
		done <- err
	}()
	cancel(errors.New("enough"))
	select {
	case err := <-done:
		isCode(t, err, ckr.FunctionCanceled)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not wrap the context's error", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the caller still waits")
	}
	noError(t, begun.End())
	must(s.Sign(r.ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
}

// watcher notes what the card sees.
type watcher struct {
	mu       sync.Mutex
	commands [][]byte
}

func (w *watcher) option() virtual.Option {
	return virtual.Observe(func(command, _ []byte) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.commands = append(w.commands, bytes.Clone(command))
	})
}

func (w *watcher) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commands = nil
}

// count counts the commands with an instruction byte.
func (w *watcher) count(ins byte) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.commands {
		if c[1] == ins {
			n++
		}
	}
	return n
}
