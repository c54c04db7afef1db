package faults_test

import (
	"bytes"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// What a card refused to tell of an object once, it may tell the next time.
func TestRefusalOfAnObjectIsNotRemembered(t *testing.T) {
	for _, sw := range []apdu.Status{0x6982, 0x6F00, 0x6581} {
		r := pivRig(t, virtual.NISTPIV(), nil)
		s := r.user()
		ofThe9A := func(command []byte) bool {
			return command[1] == 0xCB && bytes.Contains(command, []byte{0x5F, 0xC1, 0x05})
		}
		r.suffers(virtual.On(ofThe9A, virtual.SW(sw)))
		for _, err := range s.Find(r.ctx, object.AttrClass.Is(object.ClassPrivateKey)) {
			if err != nil {
				r.code(err, documented...)
			}
		}
		r.ok(r.sign(s, must(first(r.ctx, s, withID(object.ClassPrivateKey, 1)))(t)))
		r.state(s, token.RWUser)
	}
}

// A refusal alone is no reason to log anybody out: the card is asked whether
// it still knows the PIN.
func TestRefusalOfAUseDoesNotLogOut(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	for _, sw := range []apdu.Status{0x6982, 0x6985, 0x6A88, 0x6F00} {
		r.suffers(virtual.On(virtual.INS(0x2A), virtual.SW(sw)))
		r.wire.forget()
		if err := r.sign(s, key); err == nil {
			t.Errorf("%v is no error", sw)
		}
		r.heal()
		r.state(s, token.RWUser)
		r.ok(r.sign(s, key))
		if n := r.wire.pins(); n > 0 {
			t.Errorf("%v: %d PINs were sent", sw, n)
		}
	}
	r.code(s.Login(r.ctx, token.User, pin(userPIN)), ckr.UserAlreadyLoggedIn)
}
