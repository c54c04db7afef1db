package session_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestPINGoesToNoOtherCard swaps the card for another one of the same make and
// label while the user is logged in.
func TestPINGoesToNoOtherCard(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	second := newRig(t, w.option())
	noError(t, second.module.Close())
	noError(t, second.readers.Remove(reader))

	r := newRig(t)
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k")
	o := must(s.Create(ctx, data(engine.PublicToken, "o")...))(t)
	noError(t, r.readers.Remove(reader))
	noError(t, r.readers.Insert(reader, second.card))
	w.forget()

	_, err := s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32))
	isCode(t, err, ckr.DeviceRemoved)
	_, err = object.Get(ctx, o, object.AttrLabel)
	isCode(t, err, ckr.ObjectHandleInvalid)
	isCode(t, s.Logout(ctx), ckr.SessionHandleInvalid)
	r.look()
	s = r.open(true)
	inState(t, s, token.RWPublic)
	if left := find(t, s); len(left) > 0 {
		t.Errorf("the other card shows %v", left)
	}
	noPINSent(t, w)
}

// TestConsentIsForTheNextUseOnly looks at what the card sees of a key whose
// every use needs consent: VERIFY and the use are in one transaction, with no
// more between them than what names the key, and the verification does not
// outlive the use.
func TestConsentIsForTheNextUseOnly(t *testing.T) {
	ctx := t.Context()
	w := &watcher{}
	r := newRig(t, w.option())
	s := r.openAs(token.User)
	always := object.AttrAlwaysAuthenticate.Is(true)
	_, priv := pair(t, s, engine.PrivateToken, "always", always)
	_, plain := pair(t, s, engine.PrivateToken, "plain")
	for range 2 {
		op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)
		must(op.Write(make([]byte, 32)))(t)
		noError(t, op.Login(ctx, pin(userPIN)))
		w.forget()
		must(op.Sum(ctx))(t)
		var seen []byte
		for _, c := range w.commands {
			seen = append(seen, c[1])
		}
		at := bytes.IndexByte(seen, 0x20)
		if at < 0 || bytes.Count(seen, []byte{0x20}) != 1 {
			t.Fatalf("the card saw %X", seen)
		}
		if between := bytes.Trim(seen[at+1:], "\x22"); !bytes.Equal(between, []byte{0x2A}) {
			t.Errorf("after VERIFY the card saw %X", seen[at+1:])
		}
		// The login goes on: another key still works without a PIN.
		must(s.Sign(ctx, mechanism.ECDSA{}, plain, make([]byte, 32)))(t)
	}
}

// TestResetBetweenConsentAndUse has the card reset after the VERIFY of a
// consent: nothing is signed, and the PIN is not sent again.
func TestResetBetweenConsentAndUse(t *testing.T) {
	ctx := t.Context()
	h := &hook{}
	w := &watcher{}
	r := newRig(t, h.option(), w.option())
	s := r.openAs(token.User)
	_, priv := pair(t, s, engine.PrivateToken, "k", object.AttrAlwaysAuthenticate.Is(true))
	for _, ins := range []byte{0x20, 0x22, 0x2A} {
		for _, kind := range []virtual.FaultKind{virtual.ResetBefore, virtual.ResetAfter} {
			op := must(s.NewSign(ctx, mechanism.ECDSA{}, priv))(t)
			must(op.Write(make([]byte, 32)))(t)
			noError(t, op.Login(ctx, pin(userPIN)))
			w.forget()
			*h = hook{ins: ins, fault: virtual.Fault{Kind: kind}}
			_, err := op.Sum(ctx)
			h.ins = 0
			if signed := ins == 0x2A && kind == virtual.ResetAfter; !signed {
				hasCode(t, err, "CKR_DEVICE_ERROR|CKR_USER_NOT_LOGGED_IN")
			}
			if n := w.count(0x20); n > 1 {
				t.Errorf("%02X, %v: %d VERIFY commands", ins, kind, n)
			}
			_, err = op.Sum(ctx)
			isCode(t, err, ckr.OperationNotInitialized)
			find(t, s)
			inState(t, s, token.RWPublic)
			r.login(s, token.User)
			priv, _ = labelled(t, s, "k", object.AttrClass.Is(object.ClassPrivateKey))
		}
	}
}

// uses are things that only read the card, or use its keys.
var uses = []scenario{
	{"sign", func(x *faultRig) error {
		key, err := x.key()
		if err == nil {
			_, err = x.s.Sign(x.ctx, mechanism.ECDSA{}, key, make([]byte, 32))
		}
		return err
	}, nil},
	{"list and read", func(x *faultRig) error {
		other, err := x.module.OpenSession(x.ctx, x.slot)
		if err != nil {
			return err
		}
		defer other.Close()
		for o, err := range other.Find(x.ctx) {
			if err != nil {
				return err
			}
			if _, err := other.Attributes(x.ctx, o); err != nil {
				return err
			}
		}
		return nil
	}, nil},
	{"logout and login", func(x *faultRig) error {
		if err := x.s.Logout(x.ctx); err != nil {
			return err
		}
		return x.s.Login(x.ctx, token.User, pin(userPIN))
	}, nil},
	{"random", func(x *faultRig) error {
		_, err := x.s.Random(x.ctx, 300)
		return err
	}, nil},
}

func (x *faultRig) key() (*object.Object, error) {
	for o, err := range x.s.Find(x.ctx, object.AttrClass.Is(object.ClassPrivateKey)) {
		return o, err
	}
	return nil, ckr.KeyHandleInvalid
}

// TestUsesInTrouble has each command of each use go wrong in every way. The
// error has a code, the card loses nothing, and when the card answers again, so
// does the library.
func TestUsesInTrouble(t *testing.T) {
	for _, s := range uses {
		t.Run(s.name, func(t *testing.T) {
			start := func(t *testing.T) *faultRig {
				x := newFaultRig(t)
				pair(t, x.s, engine.PrivateToken, "k")
				return x
			}
			x := start(t)
			noError(t, x.try(s, 0, virtual.Fault{}))
			want := content(t, x.s)
			for at := 1; at <= x.n; at++ {
				for kind := virtual.CutBefore; kind <= virtual.LoseAnswer; kind++ {
					t.Run(fmt.Sprintf("%d/%v", at, kind), func(t *testing.T) { inTrouble(t, start(t), s, at, kind, want) })
				}
			}
		})
	}
}

func inTrouble(t *testing.T, x *faultRig, s scenario, at int, kind virtual.FaultKind, want string) {
	const codes = "CKR_DEVICE_REMOVED|CKR_DEVICE_ERROR|CKR_USER_NOT_LOGGED_IN|CKR_KEY_HANDLE_INVALID|CKR_TOKEN_NOT_PRESENT|CKR_SESSION_HANDLE_INVALID|CKR_OBJECT_HANDLE_INVALID|CKR_DATA_INVALID|CKR_FUNCTION_FAILED|CKR_PIN_INCORRECT"
	err := x.try(s, at, virtual.Fault{Kind: kind, Answer: []byte{0x6F, 0x00}})
	if err != nil {
		hasCode(t, err, codes)
	}
	if _, err := x.s.Info(); ckr.Of(err) == ckr.SessionHandleInvalid || ckr.Of(err) == ckr.DeviceRemoved {
		noError(t, x.readers.Insert(reader, x.card))
		x.look()
		x.s = x.open(true)
	}
	x.again()
	if got := content(t, x.s); got != want {
		t.Errorf("after %v: %s", err, cmp.Diff(want, got))
	}
	if err := x.try(s, 0, virtual.Fault{}); err != nil {
		t.Errorf("after the trouble is over: %v", err)
	}
}
