package faults_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// broken runs the story of a new program once for each of its exchanges, with
// a fault there, and then checks that it goes well again.
func (r *rig) broken(f virtual.Fault) {
	r.Helper()
	clean := strangerOn(r.T, r.card, r.readers)
	r.ok(clean.story())
	n := len(clean.wire.sent())
	r.ok(clean.module.Close())
	for at := 1; at <= n; at++ {
		p := strangerOn(r.T, r.card, r.readers)
		p.suffers(virtual.At(at, f))
		err := p.story()
		r.code(err, documented...)
		if open := p.wire.open(); open != 0 {
			r.Errorf("exchange %d: %d transactions are open", at, open)
		}
		p.heal()
		if f.Kind == virtual.CutBefore || f.Kind == virtual.CutAfter {
			r.ok(r.readers.Insert(reader, r.card))
		}
		if again := p.story(); again != nil {
			r.Errorf("exchange %d: after %v the next time brings %v", at, err, again)
		}
		r.ok(p.module.Close())
		if r.Failed() {
			return
		}
	}
}

// D1
func pulledAnywhere(t *testing.T) {
	r := newRig(t)
	r.broken(virtual.Fault{Kind: virtual.CutBefore})
	r.broken(virtual.Fault{Kind: virtual.CutAfter})
}

// D2
func pulledAndPutBack(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	r.ok(r.readers.Remove(reader))
	r.ok(r.readers.Insert(reader, r.card))
	r.wire.forget()
	r.code(r.sign(s, key), ckr.DeviceRemoved, ckr.SessionHandleInvalid)
	if n := r.wire.pins(); n > 0 {
		t.Errorf("%d PINs were sent", n)
	}
	r.look()
	r.state(r.open(true), token.RWPublic)
}

// D3
func readerUnplugged(t *testing.T) {
	r := newRig(t)
	other := newRig(t)
	r.ok(other.readers.Remove(reader))
	r.ok(r.readers.AddReader("Second"))
	r.ok(r.readers.Insert("Second", other.card))
	s := r.user()
	id := r.slot
	var second *session.Session
	for _, sl := range must(r.module.Slots(r.ctx, true))(t) {
		if sl.Info().Reader == "Second" {
			second = must(r.module.OpenSession(r.ctx, sl.ID()))(t)
		}
	}
	r.ok(r.readers.RemoveReader(reader))
	_, err := s.Info()
	if err == nil {
		_, err = r.tryLabels(s)
	}
	r.code(err, ckr.DeviceRemoved, ckr.SessionHandleInvalid, ckr.TokenNotPresent)
	r.labels(second)
	r.ok(r.readers.AddReader(reader))
	r.ok(r.readers.Insert(reader, r.card))
	r.look()
	if r.slot != id {
		t.Errorf("slot %d became %d", id, r.slot)
	}
	r.state(r.open(true), token.RWPublic)
}

// D4
func serviceStopped(t *testing.T) {
	for name, stop := range map[string]func(r *rig, s *session.Session){
		"idle": func(r *rig, _ *session.Session) { r.readers.StopService() },
		"in use": func(r *rig, s *session.Session) {
			r.suffers(virtual.At(1, virtual.Fault{Kind: virtual.StopService}))
			r.code(r.sign(s, r.key(s, "k")), ckr.DeviceRemoved)
		},
		"started anew": func(r *rig, s *session.Session) {
			r.readers.StopService()
			r.readers.StartService()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.user()
			key := r.key(s, "k")
			stop(r, s)
			r.wire.forget()
			r.code(r.sign(s, key), ckr.DeviceRemoved, ckr.SessionHandleInvalid)
			if name != "started anew" {
				_, err := r.module.Slots(r.ctx, true)
				r.code(err, ckr.DeviceError)
				if !errors.Is(err, apdu.ErrNoService) {
					t.Errorf("%v does not say why", err)
				}
			}
			r.heal()
			r.readers.StartService()
			id := r.slot
			r.look()
			if r.slot != id {
				t.Errorf("slot %d became %d", id, r.slot)
			}
			r.code(r.sign(s, key), ckr.DeviceRemoved, ckr.SessionHandleInvalid)
			fresh := r.open(true)
			r.state(fresh, token.RWPublic)
			r.ok(fresh.Login(r.ctx, token.User, pin(userPIN)))
			r.ok(r.sign(fresh, r.key(fresh, "k")))
			if n := r.wire.pins(); n != 1 {
				t.Errorf("%d PINs were sent", n)
			}
		})
	}
}

// D5
func resetWhileIdle(t *testing.T) {
	r := newRig(t)
	s := r.open(true)
	want := len(r.labels(s))
	r.ok(r.readers.Reset(reader))
	if got := len(r.labels(s)); got != want {
		t.Errorf("%d objects, before %d", got, want)
	}
	r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	key := r.key(s, "k")
	r.ok(r.readers.Reset(reader))
	r.wire.forget()
	r.code(r.sign(s, key), ckr.UserNotLoggedIn, ckr.KeyHandleInvalid)
	r.state(s, token.RWPublic)
	if n := r.wire.pins(); n > 0 {
		t.Errorf("%d PINs were sent", n)
	}
}

// D6
func resetInsideUnit(t *testing.T) {
	for _, ins := range []byte{0x20, 0x22, 0x2A} {
		r := newRig(t)
		s := r.user()
		always := r.pair(s, "always", object.AttrAlwaysAuthenticate.Is(true))
		op := must(s.NewSign(r.ctx, mechanism.ECDSA{}, always))(t)
		must(op.Write(make([]byte, 32)))(t)
		r.ok(op.Login(r.ctx, pin(userPIN)))
		r.wire.forget()
		r.suffers(virtual.On(virtual.INS(ins), virtual.Fault{Kind: virtual.ResetBefore}))
		_, err := op.Sum(r.ctx)
		r.code(err, ckr.DeviceError, ckr.UserNotLoggedIn)
		if n := r.wire.pins(); n > 1 {
			t.Errorf("%d PINs were sent", n)
		}
		r.heal()
		if n := r.triesLeft(); n != 3 {
			t.Errorf("%d tries are left", n)
		}
	}
}

// D7
func resetThatNobodyTells(t *testing.T) {
	for name, rules := range map[string][]virtual.Rule{
		"before the unit": {virtual.At(1, virtual.Fault{Kind: virtual.ResetUnseen})},
		"before the use":  {virtual.On(virtual.INS(0x2A), virtual.Fault{Kind: virtual.ResetUnseen})},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.user()
			key := r.key(s, "k")
			r.ok(r.sign(s, key))
			r.suffers(rules...)
			r.wire.forget()
			r.code(r.sign(s, key), ckr.UserNotLoggedIn, ckr.KeyHandleInvalid, ckr.FunctionFailed)
			r.heal()
			// The refusal made it known.
			r.state(s, token.RWPublic)
			r.code(r.sign(s, key), ckr.UserNotLoggedIn, ckr.KeyHandleInvalid)
			if n := r.wire.pins(); n > 0 {
				t.Errorf("%d PINs were sent", n)
			}
			if n := r.triesLeft(); n != 3 {
				t.Errorf("%d tries are left", n)
			}
			r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
			r.ok(r.sign(s, r.key(s, "k")))
		})
	}
	// Another application is selected after such a reset: no PIN goes there.
	r := twoApplets(t)
	s := r.user()
	key := r.pair(s, "k")
	var before []byte
	r.card.SetFaults(func(_ int, command []byte) virtual.Fault {
		f := virtual.Fault{}
		if command[1] == 0x20 && len(command) > 5 && before[1] != 0xA4 {
			t.Error("a PIN was sent to the application that happened to be selected")
		}
		if before == nil {
			f.Kind = virtual.ResetUnseen
		}
		before = bytes.Clone(command)
		return f
	})
	r.code(r.sign(s, key), documented...)
}

// twoApplets is a card with PKCS #15 and PIV on it.
func twoApplets(t *testing.T) *rig {
	t.Helper()
	card := virtual.New(virtual.As(virtual.MyEID500()), virtual.WithPIV(virtual.NISTPIV()))
	r := strangerOn(t, card, virtual.Single(card))
	for _, s := range must(r.module.Slots(r.ctx, false))(t) {
		if s.Info().Driver == "pkcs15" {
			r.token = must(s.Token(r.ctx))(t)
		}
	}
	r.initialise()
	return r
}

// D8
func otherAppletSelected(t *testing.T) {
	r := twoApplets(t)
	s := r.user()
	key := r.pair(s, "k")
	c := must(r.readers.Connect(r.ctx, reader))(t)
	defer c.Close()
	for range 3 {
		if _, err := c.Transmit(r.ctx, []byte{0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08}); err != nil {
			t.Fatal(err)
		}
		r.wire.forget()
		r.ok(r.sign(s, key))
		selected := false
		for _, command := range r.wire.sent() {
			if command[1] == 0xA4 && command[2] == 0x04 {
				selected = true
			}
			if command[1] == 0x20 && len(command) > 5 && !selected {
				t.Error("a PIN was sent to the application that happened to be selected")
			}
		}
		if !selected {
			t.Error("the application was not selected again")
		}
	}
}

// D9
func heldByAnother(t *testing.T) {
	r := newRig(t)
	release := must(r.readers.Hold(reader))(t)
	p := strangerOn(t, r.card, r.readers)
	err := p.tryLook()
	if err == nil || !errors.Is(err, apdu.ErrInUse) {
		t.Errorf("%v", err)
	}
	if n := p.wire.connects; n > 20 {
		t.Errorf("%d attempts", n)
	}
	release()
	r.ok(p.story())
	// A program that is connected already.
	s := r.user()
	key := r.key(s, "k")
	release = must(r.readers.Hold(reader))(t)
	err = r.sign(s, key)
	r.code(err, ckr.DeviceError)
	if !errors.Is(err, apdu.ErrInUse) {
		t.Errorf("%v", err)
	}
	release()
	r.ok(r.sign(s, key))
}

// D10
func transactionsEnd(t *testing.T) {
	r := newRig(t)
	for _, f := range []virtual.Fault{
		{Kind: virtual.FailLink}, {Kind: virtual.ResetBefore}, {Kind: virtual.Fail, Err: context.Canceled},
		{Kind: virtual.Fail, Err: errors.New("strange")},
	} {
		r.broken(f)
	}
	s := r.open(false)
	func() {
		defer func() { recover() }()
		for range s.Find(r.ctx) {
			panic("in the caller's loop")
		}
	}()
	if n := r.wire.open(); n != 0 {
		t.Errorf("%d transactions are open", n)
	}
	r.labels(s)
}

// D11
func reconnectFails(t *testing.T) {
	r := newRig(t)
	s := r.user()
	r.ok(r.readers.Reset(reader))
	r.wire.set(func(w *wire) { w.begin = apdu.ErrLink })
	_, err := r.tryLabels(s)
	r.code(err, ckr.DeviceError)
	r.heal()
	r.labels(s)
}

// D12
func oneSlotHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		slow := newRig(t)
		slow.slow(time.Hour)
		// One program with both readers.
		both := &pairOf{wire: r.wire, second: slow.wire}
		m := must(cryptoki.Open(t.Context(), cryptoki.WithProvider(both)))(t)
		start := time.Now()
		slots := must(m.Slots(t.Context(), false))(t)
		if d := time.Since(start); d > 15*time.Second {
			t.Errorf("listing took %v", d)
		}
		good := 0
		for _, s := range slots {
			if tok, err := s.Token(t.Context()); err == nil {
				good++
				start := time.Now()
				session := must(session.Open(t.Context(), tok))(t)
				r.labels(session)
				if d := time.Since(start); d > 0 {
					t.Errorf("the good reader took %v", d)
				}
			}
		}
		if good != 1 {
			t.Errorf("%d readers work", good)
		}
		m.Close()
		time.Sleep(30 * time.Hour)
	})
}
