package conformance

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// functions are the flags that stand for functions; others describe keys.
const functions = mechanism.FlagEncrypt | mechanism.FlagDecrypt | mechanism.FlagDigest |
	mechanism.FlagSign | mechanism.FlagSignRecover | mechanism.FlagVerify | mechanism.FlagVerifyRecover |
	mechanism.FlagGenerate | mechanism.FlagGenerateKeyPair | mechanism.FlagWrap | mechanism.FlagUnwrap |
	mechanism.FlagDerive | mechanism.FlagEncapsulate | mechanism.FlagDecapsulate

// info: the token describes itself, and only claims what the standard has.
func info(r *rig) {
	i, err := r.Token.Info(r.Context())
	r.must(err)
	if !i.Flags.Has(token.FlagTokenInitialized | token.FlagUserPINInitialized | token.FlagLoginRequired) {
		r.Errorf("the flags are %v", i.Flags)
	}
	for name, s := range map[string]string{"label": i.Label, "serial": i.Serial, "model": i.Model, "manufacturer": i.Manufacturer} {
		if !utf8.ValidString(s) {
			r.Errorf("%s %q", name, s)
		}
	}
	if len(i.Label) > 32 || len(i.Serial) > 16 || len(i.Model) > 16 || len(i.Manufacturer) > 32 {
		r.Errorf("too long for the standard: %+v", i)
	}
	if i.MaxPIN > 0 && i.MinPIN > i.MaxPIN {
		r.Errorf("PINs of %d to %d bytes", i.MinPIN, i.MaxPIN)
	}
	for m, can := range r.Token.Mechanisms() {
		most, known := mechanism.Functions(m)
		if known && can.Flags&functions&^most != 0 {
			r.Errorf("%v: %v, of which the standard has %v", m, can.Flags, most)
		}
		if can.MaxKeySize < can.MinKeySize {
			r.Errorf("%v: keys of %d to %d", m, can.MinKeySize, can.MaxKeySize)
		}
	}
}

// sessions: states, and what closing does.
func sessions(r *rig) {
	ro, rw := r.open(false), r.open(true)
	r.inState(ro, token.ROPublic)
	r.inState(rw, token.RWPublic)
	r.must(ro.Login(r.Context(), token.User, pin(r.UserPIN)))
	r.inState(ro, token.ROUser)
	r.inState(rw, token.RWUser)
	_, err := ro.Create(r.Context(), data("x", true, false, "x")...)
	r.code(err, ckr.SessionReadOnly)
	r.must(rw.Close())
	r.inState(ro, token.ROUser)
	r.must(ro.Close())
	_, err = ro.Info()
	r.code(err, ckr.SessionHandleInvalid)
	r.code(ro.Close(), ckr.SessionHandleInvalid)
	// With the last session the login has ended.
	r.inState(r.open(true), token.RWPublic)
}

// login: who is logged in, and who can be.
func login(r *rig) {
	ctx := r.Context()
	s := r.open(true)
	r.code(s.Logout(ctx), ckr.UserNotLoggedIn)
	r.code(s.Login(ctx, token.User, token.PIN{}), ckr.ArgumentsBad)
	r.code(s.Login(ctx, token.User, pin("")), ckr.PINLenRange)
	r.code(s.Login(ctx, token.ContextSpecific, pin(r.UserPIN)), ckr.OperationNotInitialized)
	r.must(s.Login(ctx, token.User, pin(r.UserPIN)))
	r.code(s.Login(ctx, token.User, pin(r.UserPIN)), ckr.UserAlreadyLoggedIn)
	r.code(s.Login(ctx, token.SO, pin("12345678")), ckr.UserAnotherAlreadyLoggedIn)
	r.must(s.Logout(ctx))
	r.inState(s, token.RWPublic)
	if r.SOPIN == "" {
		return
	}
	ro := r.open(false)
	r.code(s.Login(ctx, token.SO, pin(r.SOPIN)), ckr.SessionReadOnlyExists)
	r.must(ro.Close())
	if !r.offered("SO login", s.Login(ctx, token.SO, pin(r.SOPIN))) {
		return
	}
	r.inState(s, token.RWSO)
	_, err := session.Open(ctx, r.Token)
	r.code(err, ckr.SessionReadWriteSOExists)
	r.must(s.Logout(ctx))
}

// pins: wrong ones are counted, and they can be changed.
func pins(r *rig) {
	ctx := r.Context()
	s := r.open(true)
	err := s.Login(ctx, token.User, pin(r.OtherPIN))
	r.code(err, ckr.PINIncorrect)
	r.inState(s, token.RWPublic)
	r.code(s.Login(ctx, token.User, pin(string(bytes.Repeat([]byte{'1'}, 300)))), ckr.PINLenRange)
	r.must(s.Login(ctx, token.User, pin(r.UserPIN)))
	if !r.offered("set PIN", s.SetPIN(ctx, pin(r.UserPIN), pin(r.OtherPIN))) {
		return
	}
	r.must(s.Logout(ctx))
	r.code(s.Login(ctx, token.User, pin(r.UserPIN)), ckr.PINIncorrect)
	r.must(s.Login(ctx, token.User, pin(r.OtherPIN)))
	r.must(s.SetPIN(ctx, pin(r.OtherPIN), pin(r.UserPIN)))
	r.must(s.Logout(ctx))
	r.must(s.Login(ctx, token.User, pin(r.UserPIN)))
}

// random: as many bytes as asked for, and others each time.
func random(r *rig) {
	s := r.open(false)
	seen := make(map[string]bool)
	for _, n := range []int{0, 1, 16, 255, 256, 257, 1000} {
		b, err := s.Random(r.Context(), n)
		r.must(err)
		if len(b) != n {
			r.Errorf("%d bytes for %d", len(b), n)
		}
		if n >= 16 {
			if seen[string(b[:16])] {
				r.Error("the same bytes twice")
			}
			seen[string(b[:16])] = true
		}
	}
	_, err := s.Random(r.Context(), -1)
	r.code(err, ckr.ArgumentsBad)
}

// initialise: all is lost, and the PIN must be set again.
func initialise(r *rig) {
	ctx := r.Context()
	if r.SOPIN == "" {
		r.without("nobody knows the SO's PIN")
		return
	}
	s := r.open(true)
	r.code(r.Token.Initialize(ctx, pin(r.SOPIN), "again"), ckr.SessionExists, ckr.FunctionNotSupported)
	r.must(s.Close())
	if !r.offered("initialise", r.Token.Initialize(ctx, pin(r.SOPIN), "again")) {
		return
	}
	i, err := r.Token.Info(ctx)
	r.must(err)
	if i.Label != "again" || i.Flags.Has(token.FlagUserPINInitialized) {
		r.Errorf("label %q, flags %v", i.Label, i.Flags)
	}
	s = r.open(true)
	r.code(s.Login(ctx, token.User, pin(r.UserPIN)), ckr.UserPINNotInitialized)
	r.must(s.Login(ctx, token.SO, pin(r.SOPIN)))
	r.must(s.InitPIN(ctx, pin(r.OtherPIN)))
	r.must(s.Logout(ctx))
	r.must(s.Login(ctx, token.User, pin(r.OtherPIN)))
	r.seen(s, 0)
}
