package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// scenario is something that writes to the card.
type scenario struct {
	name string
	run  func(x *faultRig) error
	// between are states of the card that a cut may leave besides the old and
	// the new one.
	between []string
}

// scenarios begin with a card that holds the objects "public" and "private".
var scenarios = []scenario{
	{"create public data", func(x *faultRig) error {
		_, err := x.s.Create(x.ctx, data(engine.PublicToken, "new")...)
		return err
	}, nil},
	{"create private data", func(x *faultRig) error {
		_, err := x.s.Create(x.ctx, data(engine.PrivateToken, "new", object.AttrValue.Is(make([]byte, 600)), object.AttrDestroyable.Is(true), object.AttrCopyable.Is(false))...)
		return err
	}, nil},
	{"create private key", func(x *faultRig) error {
		_, priv := ecTemplates(x.t)
		_, err := x.s.Create(x.ctx, priv.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrToken.Is(true),
			object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1}))...)
		return err
	}, nil},
	{"destroy public data", func(x *faultRig) error { return x.s.Destroy(x.ctx, x.public) }, nil},
	{"destroy private data", func(x *faultRig) error { return x.s.Destroy(x.ctx, x.private) }, nil},
	{"set label", func(x *faultRig) error { return x.s.Set(x.ctx, x.private, object.AttrLabel.Is("renamed")) }, nil},
	{"set value", func(x *faultRig) error {
		return x.s.Set(x.ctx, x.public, object.AttrValue.Is([]byte("another value")))
	}, nil},
	{"copy", func(x *faultRig) error {
		_, err := x.s.Copy(x.ctx, x.private, object.AttrLabel.Is("new"))
		return err
	}, nil},
	// A key without its public key is still a key.
	{"generate key pair", func(x *faultRig) error {
		common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("new"), object.AttrID.Is([]byte{1})}
		_, _, err := x.s.GenerateKeyPair(x.ctx, mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common)
		return err
	}, []string{"CKO_PRIVATE_KEY new"}},
}

// faultRig is a card with two objects, whose commands can go wrong.
type faultRig struct {
	*rig
	s               *session.Session
	public, private *object.Object

	mu     sync.Mutex // a cancelled caller leaves its command behind
	armed  bool
	n      int // commands since it was armed
	at     int
	fault  virtual.Fault
	cancel context.CancelFunc // called at the command, if not nil
}

func newFaultRig(t testing.TB) *faultRig {
	x := &faultRig{}
	x.rig = newRig(t, virtual.Faults(func(int, []byte) virtual.Fault {
		x.mu.Lock()
		defer x.mu.Unlock()
		if !x.armed {
			return virtual.Fault{}
		}
		if x.n++; x.n == x.at {
			if x.cancel != nil {
				x.cancel()
			}
			return x.fault
		}
		return virtual.Fault{}
	}))
	x.s = x.openAs(token.User)
	x.public = must(x.s.Create(x.ctx, data(engine.PublicToken, "public")...))(t)
	x.private = must(x.s.Create(x.ctx, data(engine.PrivateToken, "private")...))(t)
	x.private, _ = labelled(t, x.s, "private")
	return x
}

// try runs a scenario with a fault at its nth command; 0 is none.
func (x *faultRig) try(s scenario, at int, f virtual.Fault) error {
	x.arm(true, at, f)
	defer x.arm(false, 0, virtual.Fault{})
	return s.run(x)
}

func (x *faultRig) arm(on bool, at int, f virtual.Fault) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if on {
		x.n = 0
	}
	x.armed, x.at, x.fault = on, at, f
}

// content lists everything that a session sees on the card, with its values:
// one line an object.
func content(t testing.TB, s *session.Session) string {
	t.Helper()
	var lines []string
	for _, o := range find(t, s, object.AttrToken.Is(true)) {
		line := fmt.Sprintf("%v %s", o.Class(), must(object.Get(t.Context(), o, object.AttrLabel))(t))
		for _, v := range must(s.Attributes(t.Context(), o))(t) {
			if v.Type == object.AttrValue.Type {
				line += fmt.Sprintf(" %.20q", v.Bytes())
			}
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// outcomes runs a scenario without a fault: how many commands it sends, and
// what the card holds before and after it.
func outcomes(t *testing.T, s scenario) (n int, old, new string) {
	t.Helper()
	x := newFaultRig(t)
	old = content(t, x.s)
	noError(t, x.try(s, 0, virtual.Fault{}))
	n = x.n
	if n == 0 {
		t.Fatal("the scenario sends nothing")
	}
	return n, old, content(t, x.s)
}

// allowed reports whether the content is one that a fault may leave.
func (s scenario) allowed(got, old, new string) bool {
	if got == old || got == new {
		return true
	}
	for _, extra := range s.between {
		lines := append(strings.Split(old, "\n"), extra)
		slices.Sort(lines)
		if got == strings.Join(lines, "\n") {
			return true
		}
	}
	return false
}

// TestCardPulledAtEveryCommand takes the card out before and after each
// command of each scenario. The call says so, the sessions end, and on the card
// is what was there before or what should come to be.
func TestCardPulledAtEveryCommand(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			n, old, new := outcomes(t, s)
			for at := 1; at <= n; at++ {
				for _, kind := range []virtual.FaultKind{virtual.CutBefore, virtual.CutAfter} {
					t.Run(fmt.Sprintf("%d/%v", at, kind), func(t *testing.T) { pulled(t, s, at, kind, old, new) })
				}
			}
		})
	}
}

func pulled(t *testing.T, s scenario, at int, kind virtual.FaultKind, old, new string) {
	x := newFaultRig(t)
	err := x.try(s, at, virtual.Fault{Kind: kind})
	isCode(t, err, ckr.DeviceRemoved)
	_, err = x.s.Info()
	isCode(t, err, ckr.SessionHandleInvalid)

	noError(t, x.readers.Insert(reader, x.card))
	x.look()
	x.s = x.open(true)
	inState(t, x.s, token.RWPublic)
	x.login(x.s, token.User)
	got := content(t, x.s)
	if !s.allowed(got, old, new) {
		t.Errorf("the card holds\n%s\nit held\n%s\nand should hold\n%s", got, old, new)
	}
	// What was begun can be done again, or has been done.
	if got == old {
		x.public, _ = labelled(t, x.s, "public")
		x.private, _ = labelled(t, x.s, "private")
		noError(t, x.try(s, 0, virtual.Fault{}))
		if again := content(t, x.s); again != new {
			t.Errorf("after another try the card holds\n%s", again)
		}
	}
}

// TestCardRefusesEveryCommand has the card refuse each command of each
// scenario. A refusal is an error with the object set as it was, or it did not
// matter; handles stay good, and the session sees what is on the card.
func TestCardRefusesEveryCommand(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			n, old, new := outcomes(t, s)
			for at := 1; at <= n; at++ {
				for _, sw := range []string{"\x65\x81", "\x6A\x84", "\x6F\x00", "\x69\x82"} {
					t.Run(fmt.Sprintf("%d/%X", at, sw), func(t *testing.T) {
						refused(t, s, at, virtual.Fault{Kind: virtual.Refuse, Answer: []byte(sw)}, old, new)
					})
				}
			}
		})
	}
}

func refused(t *testing.T, s scenario, at int, f virtual.Fault, old, new string) {
	x := newFaultRig(t)
	err := x.try(s, at, f)
	want := new
	if err != nil {
		want = old
		hasCode(t, err, "CKR_DEVICE_ERROR|CKR_DEVICE_MEMORY|CKR_USER_NOT_LOGGED_IN|CKR_FUNCTION_FAILED")
	}
	f2 := foreignRig(t, x.rig)
	if got := content(t, f2.openAs(token.User)); got != want {
		t.Errorf("after %v another program finds\n%s\nwant\n%s", err, got, want)
	}
	noError(t, f2.module.Close())
	x.again()
	if got := content(t, x.s); got != want {
		t.Errorf("after %v the session finds\n%s\nwant\n%s", err, got, want)
	}
	if err == nil {
		return
	}
	// The handles are still good, if the login is.
	if again := x.try(s, 0, virtual.Fault{}); again != nil {
		t.Errorf("after %v another try: %v", err, again)
	}
	if got := content(t, x.s); got != new {
		t.Errorf("after %v and another try the session finds\n%s\nwant\n%s", err, got, new)
	}
}

// again logs in again if the login was lost.
func (x *faultRig) again() {
	x.t.Helper()
	find(x.t, x.s) // notices what has happened to the card
	if must(x.s.Info())(x.t).State == token.RWUser {
		return
	}
	x.login(x.s, token.User)
	x.private, _ = labelled(x.t, x.s, "private")
}

// TestLinkFailsAtEveryCommand loses commands and answers, and has others reset
// the card, at each command of each scenario. What the session sees then is
// what is on the card.
func TestLinkFailsAtEveryCommand(t *testing.T) {
	kinds := []virtual.FaultKind{virtual.FailLink, virtual.LoseAnswer, virtual.ResetBefore, virtual.ResetAfter}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			n, old, new := outcomes(t, s)
			for at := 1; at <= n; at++ {
				for _, kind := range kinds {
					t.Run(fmt.Sprintf("%d/%v", at, kind), func(t *testing.T) { disturbed(t, s, at, kind, old, new) })
				}
			}
		})
	}
}

func disturbed(t *testing.T, s scenario, at int, kind virtual.FaultKind, old, new string) {
	x := newFaultRig(t)
	err := x.try(s, at, virtual.Fault{Kind: kind})
	if err != nil {
		hasCode(t, err, "CKR_DEVICE_ERROR|CKR_USER_NOT_LOGGED_IN|CKR_OBJECT_HANDLE_INVALID")
	}
	x.agree(s, err, old, new)
}

// agree compares what the session sees after a fault with what is on the card.
func (x *faultRig) agree(s scenario, err error, old, new string) {
	t := x.t
	t.Helper()
	x.again()
	mine := content(t, x.s)
	f := foreignRig(t, x.rig)
	theirs := content(t, f.openAs(token.User))
	noError(t, f.module.Close())
	if mine != theirs {
		t.Errorf("after %v the session finds\n%s\nanother program finds\n%s", err, mine, theirs)
	}
	if !s.allowed(mine, old, new) || err == nil && mine != new {
		t.Errorf("after %v the card holds\n%s\nit held\n%s\nand should hold\n%s", err, mine, old, new)
	}
}

// TestCallerGivesUpAtEveryCommand cancels the caller's context during each
// command of each scenario. The caller returns at once; what comes of the
// command is seen later.
func TestCallerGivesUpAtEveryCommand(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			n, old, new := outcomes(t, s)
			for at := 1; at <= n; at++ {
				t.Run(fmt.Sprint(at), func(t *testing.T) { givesUp(t, s, at, old, new) })
			}
		})
	}
}

func givesUp(t *testing.T, s scenario, at int, old, new string) {
	x := newFaultRig(t)
	background := x.ctx
	x.ctx, x.cancel = context.WithCancel(background)
	err := x.try(s, at, virtual.Fault{})
	x.ctx = background
	if err != nil {
		hasCode(t, err, "CKR_FUNCTION_CANCELED")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not wrap the context's error", err)
		}
	}
	x.agree(s, err, old, new)
}
