package session_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// hook is a fault that can be set after the card was made, for commands with
// an instruction byte.
type hook struct {
	ins   byte
	fault virtual.Fault
	hits  int
}

func (h *hook) option() virtual.Option {
	return virtual.Faults(func(_ int, command []byte) virtual.Fault {
		if h.ins == 0 || command[1] != h.ins {
			return virtual.Fault{}
		}
		h.hits++
		return h.fault
	})
}

// TestLostAnswerToVerifyIsNotRepeated loses the answer to the VERIFY of a
// login: nobody is logged in, and the PIN is not sent again by itself.
func TestLostAnswerToVerifyIsNotRepeated(t *testing.T) {
	ctx := t.Context()
	for _, kind := range []virtual.FaultKind{virtual.LoseAnswer, virtual.FailLink, virtual.ResetBefore} {
		h := &hook{}
		r := newRig(t, h.option())
		s := r.open(true)
		*h = hook{ins: 0x20, fault: virtual.Fault{Kind: kind}}
		isCode(t, s.Login(ctx, token.User, pin(userPIN)), ckr.DeviceError)
		if h.hits != 1 {
			t.Errorf("%v: %d VERIFY commands", kind, h.hits)
		}
		inState(t, s, token.RWPublic)
		h.ins = 0
		r.login(s, token.User)
	}
}

// TestOddAnswersToVerify answers a login with status words of all sorts: none
// of them logs in, and the tries are known only if the card tells them.
func TestOddAnswersToVerify(t *testing.T) {
	ctx := t.Context()
	for _, c := range []struct {
		sw    string
		codes string
		tries int
	}{
		{"\x63\xC5", "CKR_PIN_INCORRECT", 5},
		{"\x63\xC1", "CKR_PIN_INCORRECT", 1},
		{"\x63\xC0", "CKR_PIN_LOCKED", 0},
		{"\x63\x00", "CKR_PIN_INCORRECT", -1},
		{"\x69\x83", "CKR_PIN_LOCKED", 0},
		{"\x69\x82", "CKR_PIN_INCORRECT", -1},
		{"\x69\x84", "CKR_USER_PIN_NOT_INITIALIZED|CKR_PIN_INCORRECT|CKR_PIN_LOCKED", -1},
		{"\x67\x00", "CKR_PIN_LEN_RANGE|CKR_DEVICE_ERROR", -1},
		{"\x6F\x00", "CKR_DEVICE_ERROR|CKR_FUNCTION_FAILED", -1},
		{"\x6D\x00", "CKR_FUNCTION_NOT_SUPPORTED|CKR_DEVICE_ERROR", -1},
		{"\x62\x83", "CKR_DEVICE_ERROR|CKR_FUNCTION_FAILED|CKR_PIN_INCORRECT", -1},
		{"\x90\x01", "CKR_DEVICE_ERROR", -1},
		{"\x00\x00", "CKR_DEVICE_ERROR", -1},
		{"", "CKR_DEVICE_ERROR", -1},
	} {
		h := &hook{}
		r := newRig(t, h.option())
		s := r.open(true)
		*h = hook{ins: 0x20, fault: virtual.Fault{Kind: virtual.Refuse, Answer: []byte(c.sw)}}
		err := s.Login(ctx, token.User, pin(userPIN))
		hasCode(t, err, c.codes)
		if got := tries(t, err); got != c.tries {
			t.Errorf("%X: %d tries, want %d", c.sw, got, c.tries)
		}
		if h.hits != 1 {
			t.Errorf("%X: %d VERIFY commands", c.sw, h.hits)
		}
		inState(t, s, token.RWPublic)
		h.ins = 0
		r.login(s, token.User)
	}
}

// TestLostAnswerToPINChange loses the answer to a change of the PIN: nothing
// is tried by itself, and the next login tells which PIN it is.
func TestLostAnswerToPINChange(t *testing.T) {
	ctx := t.Context()
	for _, kind := range []virtual.FaultKind{virtual.LoseAnswer, virtual.FailLink} {
		h := &hook{}
		w := &watcher{}
		r := newRig(t, h.option(), w.option())
		s := r.openAs(token.User)
		*h = hook{ins: 0x24, fault: virtual.Fault{Kind: kind}}
		w.forget()
		isCode(t, s.SetPIN(ctx, pin(userPIN), pin("111111")), ckr.DeviceError)
		h.ins = 0
		if n := h.hits + w.count(0x20); n != 1 {
			t.Errorf("%v: %d PIN commands were sent", kind, n)
		}
		other := r.application().open(false)
		now, was := "111111", userPIN
		if kind == virtual.FailLink {
			now, was = was, now
		}
		if err := other.Login(ctx, token.User, pin(was)); tries(t, err) != 2 {
			t.Errorf("%v: %v", kind, err)
		}
		noError(t, other.Login(ctx, token.User, pin(now)))
	}
}

// TestPINChangedByAnotherProgram has a kept PIN that is not right any more: it
// costs one try at most, and then the application is logged out.
func TestPINChangedByAnotherProgram(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	r := newRig(t, w.option())
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	f := foreignRig(t, r)
	fs := f.openAs(token.User)
	noError(t, fs.SetPIN(ctx, pin(userPIN), pin("111111")))
	noError(t, fs.Logout(ctx))
	w.forget()
	for range 3 {
		_, err := s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
		hasCode(t, err, "CKR_USER_NOT_LOGGED_IN|CKR_KEY_HANDLE_INVALID")
	}
	inState(t, s, token.RWPublic)
	sent := 0
	for _, c := range w.commands {
		if c[1] == 0x20 && len(c) > 5 {
			sent++
		}
	}
	if sent > 1 {
		t.Errorf("the kept PIN was sent %d times", sent)
	}
	noError(t, s.Login(ctx, token.User, pin("111111")))
}

// TestOwnPINChangeKeepsLogins changes the PIN in one application while another
// one is logged in: both stay so, and the new PIN is what is restored.
func TestOwnPINChangeKeepsLogins(t *testing.T) {
	ctx := t.Context()
	a := newRig(t)
	b := a.application()
	sa, sb := a.openAs(token.User), b.openAs(token.User)
	_, priv := pair(t, sa, engine.PrivateToken, "k")
	noError(t, sb.SetPIN(ctx, pin(userPIN), pin("111111")))
	must(sa.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
	third := a.application().open(true)
	isCode(t, third.Login(ctx, token.User, pin(wrongPIN)), ckr.PINIncorrect)
	must(sa.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
	inState(t, sb, token.RWUser)
}

// TestInitTokenCutAtEveryCommand takes the card out during C_InitToken. The
// card then holds the old token, or none, or the new one; it can be initialised
// with the same PIN, and is whole then.
func TestInitTokenCutAtEveryCommand(t *testing.T) {
	ctx := t.Context()
	start := func() *faultRig {
		x := newFaultRig(t)
		noError(t, x.token.CloseSessions(ctx))
		return x
	}
	initialise := scenario{run: func(x *faultRig) error { return x.token.Initialize(ctx, pin(soPIN), "new") }}
	clean := start()
	noError(t, clean.try(initialise, 0, virtual.Fault{}))
	for at := 1; at <= clean.n; at++ {
		for _, kind := range []virtual.FaultKind{virtual.CutBefore, virtual.CutAfter} {
			t.Run(fmt.Sprintf("%d/%v", at, kind), func(t *testing.T) {
				x := start()
				x.t = t
				isCode(t, x.try(initialise, at, virtual.Fault{Kind: kind}), ckr.DeviceRemoved)
				noError(t, x.readers.Insert(reader, x.card))
				x.look()
				info := must(x.token.Info(ctx))(t)
				switch s, err := session.Open(ctx, x.token); {
				case info.Flags.Has(token.FlagTokenInitialized):
					noError(t, err)
					find(t, s)
					noError(t, s.Close())
				default:
					isCode(t, err, ckr.TokenNotInitialized)
				}
				noError(t, x.token.Initialize(ctx, pin(soPIN), "again"))
				s := x.openAs(token.SO)
				noError(t, s.InitPIN(ctx, pin(userPIN)))
				noError(t, s.Logout(ctx))
				x.login(s, token.User)
				if left := find(t, s); len(left) > 0 {
					t.Errorf("%v are left", left)
				}
				must(s.Create(ctx, data(engine.PrivateToken, "o")...))(t)
			})
		}
	}
}

// TestDestroyThatFailsKeepsTheHandle has the card refuse to delete.
func TestDestroyThatFailsKeepsTheHandle(t *testing.T) {
	ctx := t.Context()
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		h := &hook{}
		r := newRig(t, h.option())
		s := r.openAs(token.User)
		o := must(s.Create(ctx, data(kind, "o")...))(t)
		for _, ins := range []byte{0xD6, 0xE4, 0xA4} {
			*h = hook{ins: ins, fault: virtual.Fault{Kind: virtual.Refuse, Answer: []byte{0x65, 0x81}}}
			if err := s.Destroy(ctx, o); err == nil {
				t.Errorf("%v: no error with %02X refused", kind, ins)
			}
			h.ins = 0
			v := must(object.Get(ctx, o, object.AttrValue))(t)
			if !bytes.Equal(v, []byte("value of o")) {
				t.Errorf("%v: the value is %q", kind, v)
			}
		}
		noError(t, s.Destroy(ctx, o))
	}
}

// TestSessionsWaitForInitToken opens a session while the token is made anew:
// it is one with the new token, or none.
func TestSessionsWaitForInitToken(t *testing.T) {
	ctx := t.Context()
	opened := make(chan error, 1)
	var other *rig
	var once sync.Once
	tooEarly := false
	r := newRig(t, virtual.Faults(func(_ int, command []byte) virtual.Fault {
		if other == nil {
			return virtual.Fault{}
		}
		once.Do(func() {
			go func() {
				_, err := session.Open(ctx, other.token)
				opened <- err
			}()
		})
		if command[1] == 0x44 && len(opened) > 0 { // ACTIVATE, the last step
			tooEarly = true
		}
		return virtual.Fault{}
	}))
	noError(t, r.open(true).Close())
	other = r.application()
	noError(t, r.token.Initialize(ctx, pin(soPIN), "new"))
	if tooEarly {
		t.Error("a session was opened with a token that was being made")
	}
	noError(t, <-opened)
	if label := must(other.token.Info(ctx))(t).Label; label != "new" {
		t.Errorf("the session is with %q", label)
	}
	isCode(t, r.token.Initialize(ctx, pin(soPIN), "newer"), ckr.SessionExists)
}
