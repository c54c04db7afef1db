package faults_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// verified has another program verify the user's PIN and leave the card so.
func (r *rig) verified() {
	r.Helper()
	c := must(r.readers.Connect(r.ctx, reader))(r)
	r.Cleanup(func() { c.Close() })
	for _, command := range [][]byte{
		{0x00, 0xA4, 0x04, 0x00, 12, 0xA0, 0, 0, 0, 0x63, 'P', 'K', 'C', 'S', '-', '1', '5'},
		{0x00, 0x20, 0x00, 0x01, 8, '1', '2', '3', '4', '5', '6', 0xFF, 0xFF},
	} {
		answer, err := c.Transmit(r.ctx, command)
		for errors.Is(err, apdu.ErrReset) {
			answer, err = c.Transmit(r.ctx, command)
		}
		if err != nil || answer[len(answer)-2] != 0x90 {
			r.Fatalf("%X: %X, %v", command, answer, err)
		}
	}
}

// B1
func emptyPINOnVerifiedCard(t *testing.T) {
	r := newRig(t)
	s := r.open(true)
	r.verified()
	r.wire.forget()
	for _, p := range []token.PIN{{}, token.NewPIN(nil), pin("")} {
		r.code(s.Login(r.ctx, token.User, p), ckr.PINLenRange, ckr.ArgumentsBad)
	}
	if n := r.wire.pins(); n > 0 {
		t.Errorf("%d PINs were sent", n)
	}
	r.state(s, token.RWPublic)
}

// B2
func verifiedByAnother(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	r.ok(s.Logout(r.ctx))
	r.verified()
	r.wire.forget()
	r.code(r.sign(s, key), ckr.UserNotLoggedIn, ckr.KeyHandleInvalid)
	if n := len(r.find(s, object.AttrPrivate.Is(true))); n > 0 {
		t.Errorf("%d private objects are found", n)
	}
	if n := r.wire.count(0x2A); n > 0 {
		t.Errorf("%d uses were sent", n)
	}
}

// B3
func oneTryPerWrongPIN(t *testing.T) {
	r := newRig(t)
	s := r.open(true)
	r.wire.forget()
	err := s.Login(r.ctx, token.User, pin(wrongPIN))
	var e *ckr.Error
	if !errors.As(err, &e) || e.Code != ckr.PINIncorrect || e.Tries != (ckr.Tries{Left: 2, Known: true}) {
		t.Error(err)
	}
	if n := r.wire.pins(); n != 1 {
		t.Errorf("%d PINs were sent", n)
	}
	if n := r.triesLeft(); n != 2 {
		t.Errorf("%d tries are left", n)
	}
}

// B4
func wrongPINFromCallback(t *testing.T) {
	r := newRig(t)
	asked := 0
	m := must(cryptoki.Open(r.ctx, cryptoki.WithProvider(r.wire), cryptoki.WithPIN(func(context.Context, token.PINRequest) (token.PIN, error) {
		asked++
		return pin(wrongPIN), nil
	})))(t)
	defer m.Close()
	r.wire.forget()
	_, err := m.Key(r.ctx, "pkcs11:object=k;type=private")
	if err == nil {
		t.Fatal("a key without its PIN")
	}
	if n := r.wire.pins(); n != 1 || asked != 1 {
		t.Errorf("asked %d times, %d PINs were sent: %v", asked, n, err)
	}
}

// B5
func keptPINIsOld(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	other := r.stranger()
	os := other.user()
	r.ok(os.SetPIN(r.ctx, pin(userPIN), pin(newPIN)))
	r.ok(os.Logout(r.ctx))
	r.ok(other.module.Close())
	r.wire.forget()
	for range 5 {
		r.code(r.sign(s, key), ckr.UserNotLoggedIn, ckr.KeyHandleInvalid)
	}
	if n := r.wire.pins(); n > 1 {
		t.Errorf("the kept PIN was sent %d times", n)
	}
	r.state(s, token.RWPublic)
	r.ok(s.Login(r.ctx, token.User, pin(newPIN)))
}

// B6
func lostAnswerToVerify(t *testing.T) {
	for _, executed := range []bool{true, false} {
		r := newRig(t)
		s := r.open(true)
		r.wire.forget()
		r.loses(0x20, executed)
		r.code(s.Login(r.ctx, token.User, pin(userPIN)), ckr.DeviceError)
		if n := r.wire.pins(); n != 1 {
			t.Errorf("%d PINs were sent", n)
		}
		r.state(s, token.RWPublic)
		r.heal()
		r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	}
}

// B7
func blockedPIN(t *testing.T) {
	for sw, codes := range map[string][]ckr.Code{
		"\x69\x83": {ckr.PINLocked}, "\x69\x84": {ckr.UserPINNotInitialized, ckr.PINIncorrect, ckr.PINLocked}, "\x69\x82": {ckr.PINIncorrect, ckr.PINLocked},
	} {
		r := newRig(t)
		s := r.open(true)
		r.wire.forget()
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0x20 && len(command) > 5 {
				return []byte(sw)
			}
			return answer
		})
		r.code(s.Login(r.ctx, token.User, pin(userPIN)), codes...)
		if n := r.wire.pins(); n != 1 || r.wire.count(0x2C) > 0 {
			t.Errorf("%X: %d PINs were sent", sw, n)
		}
	}
}

// B8
func swappedCard(t *testing.T) {
	second := newRig(t)
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	r.ok(second.readers.Remove(reader))
	r.ok(r.readers.Remove(reader))
	r.ok(r.readers.Insert(reader, second.card))
	r.wire.forget()
	r.code(r.sign(s, key), ckr.DeviceRemoved, ckr.SessionHandleInvalid)
	r.look()
	r.state(r.open(true), token.RWPublic)
	if n := r.wire.pins(); n > 0 {
		t.Errorf("%d PINs were sent to the other card", n)
	}
}

// B9
func consentIsNotShared(t *testing.T) {
	var seen [][]byte
	r := newRig(t, virtual.Observe(func(command, _ []byte) { seen = append(seen, bytes.Clone(command)) }))
	s := r.user()
	key := r.pair(s, "always", object.AttrAlwaysAuthenticate.Is(true))
	op := must(s.NewSign(r.ctx, mechanism.ECDSA{}, key))(t)
	must(op.Write(make([]byte, 32)))(t)
	r.ok(op.Login(r.ctx, pin(userPIN)))
	// Another program gets its turn whenever no transaction is open.
	theft := [][]byte{{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00}}
	r.suffers(virtual.Every(1, virtual.Fault{Kind: virtual.Steal, Commands: theft}))
	r.wire.forget()
	seen = nil
	must(op.Sum(r.ctx))(t)
	verify, stolen := -1, 0
	for i, c := range seen {
		switch {
		case bytes.Equal(c, theft[0]):
			stolen++
		case c[1] == 0x20 && len(c) > 5:
			verify = i
		case c[1] == 0x2A:
			for _, between := range seen[max(verify, 0):i] {
				if verify < 0 || between[1] == 0xA4 {
					t.Errorf("%X before the use, VERIFY at %d", between, verify)
				}
			}
		}
	}
	if n := r.wire.pins(); n != 1 || stolen == 0 {
		t.Errorf("%d PINs were sent, and %d commands of another program", n, stolen)
	}
}

// B10
func contextLogin(t *testing.T) {
	r := newRig(t)
	s := r.user()
	r.code(s.Login(r.ctx, token.ContextSpecific, pin(userPIN)), ckr.OperationNotInitialized)
	always := r.pair(s, "always", object.AttrAlwaysAuthenticate.Is(true))
	op := must(s.NewSign(r.ctx, mechanism.ECDSA{}, always))(t)
	must(op.Write(make([]byte, 32)))(t)
	r.code(op.Login(r.ctx, pin(wrongPIN)), ckr.PINIncorrect)
	r.state(s, token.RWUser)
	r.ok(r.sign(s, r.key(s, "k")))
	r.ok(op.Login(r.ctx, pin(userPIN)))
	must(op.Sum(r.ctx))(t)
}

// B11
func selectDropsPIN(t *testing.T) {
	p := virtual.NISTPIV()
	p.Quirks.ReselectDrops = true
	r := pivRig(t, p, nil)
	s := r.user()
	key := r.find(s, object.AttrClass.Is(object.ClassPrivateKey))[0]
	r.ok(r.sign(s, key))
	c := must(r.readers.Connect(r.ctx, reader))(t)
	defer c.Close()
	if _, err := c.Transmit(r.ctx, []byte{0x00, 0xA4, 0x04, 0x00, 0x05, 0xA0, 0x00, 0x00, 0x03, 0x08}); err != nil {
		t.Fatal(err)
	}
	r.ok(r.sign(s, key))
	r.state(s, token.RWUser)
}

// B12
func statusIsUnreliable(t *testing.T) {
	p := virtual.NISTPIV()
	p.Quirks.BlindStatus = true
	r := pivRig(t, p, nil)
	s := r.user()
	for range 3 {
		r.ok(r.sign(s, r.find(s, object.AttrClass.Is(object.ClassPrivateKey))[0]))
	}
	r.state(s, token.RWUser)
	r.ok(s.Logout(r.ctx))
	r.state(s, token.RWPublic)
}

// B13
func oddAnswersToVerify(t *testing.T) {
	for _, sw := range []string{"\x6F\x00", "\x67\x00", "\x6D\x00", "\x62\x83", "\x90\x01", "\x00\x00", "\x61\x00"} {
		r := newRig(t)
		s := r.open(true)
		r.answers(func(command, answer []byte) []byte {
			if command[1] == 0x20 && len(command) > 5 || command[1] == 0xC0 {
				return []byte(sw)
			}
			return answer
		})
		if err := s.Login(r.ctx, token.User, pin(userPIN)); err == nil {
			t.Errorf("%X logs in", sw)
		}
		r.state(s, token.RWPublic)
	}
}

// B14
func loginsThatCannotBe(t *testing.T) {
	r := newRig(t)
	rw, ro := r.open(true), r.open(false)
	r.wire.forget()
	r.code(rw.Login(r.ctx, token.SO, pin(soPIN)), ckr.SessionReadOnlyExists)
	r.ok(ro.Close())
	r.ok(rw.Login(r.ctx, token.SO, pin(soPIN)))
	before := r.wire.pins()
	r.code(rw.Login(r.ctx, token.SO, pin(soPIN)), ckr.UserAlreadyLoggedIn)
	r.code(rw.Login(r.ctx, token.User, pin(userPIN)), ckr.UserAnotherAlreadyLoggedIn)
	_, err := session.Open(r.ctx, r.token)
	r.code(err, ckr.SessionReadWriteSOExists)
	r.ok(rw.Logout(r.ctx))
	r.ok(rw.Login(r.ctx, token.User, pin(userPIN)))
	r.code(rw.Login(r.ctx, token.User, pin(userPIN)), ckr.UserAlreadyLoggedIn)
	r.code(rw.Login(r.ctx, token.SO, pin(soPIN)), ckr.UserAnotherAlreadyLoggedIn)
	if n := r.wire.pins() - before; n != 1 {
		t.Errorf("%d PINs were sent", n)
	}
	fresh := blankRig(t)
	r.ok(fresh.token.Initialize(r.ctx, pin(soPIN), "x"))
	fresh.code(fresh.open(true).Login(r.ctx, token.User, pin(userPIN)), ckr.UserPINNotInitialized)
}

// B15
func lostAnswerToChange(t *testing.T) {
	for _, executed := range []bool{true, false} {
		r := newRig(t)
		s := r.user()
		r.wire.forget()
		r.loses(0x24, executed)
		r.code(s.SetPIN(r.ctx, pin(userPIN), pin(newPIN)), ckr.DeviceError)
		if n := r.wire.pins(); n != 1 {
			t.Errorf("%d PINs were sent", n)
		}
		r.heal()
		now := userPIN
		if executed {
			now = newPIN
		}
		other := r.stranger()
		r.ok(other.open(true).Login(r.ctx, token.User, pin(now)))
	}
}

// B16
func malformedPINs(t *testing.T) {
	r := newRig(t)
	s := r.open(true)
	r.wire.forget()
	for _, p := range []string{"", "1", "123", "123456789", "12\x0034", "1234\x00", "1234\xFF", "\xFF\xFF\xFF\xFF", "12\xC3\x28", "1234\n"} {
		for _, role := range []token.Role{token.User, token.SO} {
			if err := s.Login(r.ctx, role, pin(p)); err == nil {
				t.Errorf("%q logs in", p)
			}
		}
		if err := s.SetPIN(r.ctx, pin(userPIN), pin(p)); err == nil {
			t.Errorf("%q is set", p)
		}
	}
	if n := r.wire.pins(); n > 0 {
		t.Errorf("%d PINs were sent", n)
	}
	if n := r.triesLeft(); n != 3 {
		t.Errorf("%d tries are left", n)
	}
}
