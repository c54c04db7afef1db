package piv_test

import (
	"context"
	"crypto"
	"crypto/pbkdf2"
	"crypto/sha1"
	"fmt"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

func TestPoliciesOfYubiKeysAreAttributes(t *testing.T) {
	touches := 0
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()), virtual.Touch(func() bool { touches++; return true }))
	s := r.user(adminHex)
	for id, c := range map[byte]struct {
		ask                     object.Template
		pin, touch              byte
		private, always, touchy bool
	}{
		0x01: {nil, piv.PINOnce, piv.TouchNever, true, false, false},
		0x02: {object.Template{piv.AttrTouchPolicy.Is([]byte{piv.TouchAlways})}, piv.PINAlways, piv.TouchAlways, true, true, true},
		0x03: {object.Template{object.AttrAlwaysAuthenticate.Is(true)}, piv.PINAlways, piv.TouchNever, true, true, false},
		0x04: {object.Template{object.AttrPrivate.Is(true)}, piv.PINOnce, piv.TouchNever, true, false, false},
		0x05: {object.Template{piv.AttrPINPolicy.Is([]byte{3, 0, 0, 0, 0, 0, 0, 0}), piv.AttrTouchPolicy.Is([]byte{piv.TouchCached})},
			piv.PINAlways, piv.TouchCached, true, true, true},
	} {
		_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), id, c.ask...)
		pinPolicy, err := object.Get(t.Context(), priv, piv.AttrPINPolicy)
		r.must(err)
		touch, err := object.Get(t.Context(), priv, piv.AttrTouchPolicy)
		r.must(err)
		private, err := object.Get(t.Context(), priv, object.AttrPrivate)
		r.must(err)
		always, err := object.Get(t.Context(), priv, object.AttrAlwaysAuthenticate)
		r.must(err)
		if got, want := fmt.Sprint(pinPolicy, touch, private, always), fmt.Sprint([]byte{c.pin}, []byte{c.touch}, c.private, c.always); got != want {
			t.Errorf("key %02X: %s, want %s", id, got, want)
		}
		touches = 0
		op, err := s.NewSign(t.Context(), mechanism.ECDSA{Hash: crypto.SHA256}, priv)
		r.must(err)
		if always {
			r.must(op.Login(t.Context(), pin(userPIN)))
		}
		_, err = op.Sum(t.Context())
		r.must(err)
		if (touches > 0) != c.touchy {
			t.Errorf("key %02X: %d touches", id, touches)
		}
	}
}

func TestPoliciesThatThereAreNot(t *testing.T) {
	for name, c := range map[string]struct {
		persona virtual.PIVPersona
		ask     object.Template
		want    ckr.Code
	}{
		"touch, on a card that has none":  {virtual.NISTPIV(), object.Template{piv.AttrTouchPolicy.Is([]byte{piv.TouchAlways})}, ckr.TemplateInconsistent},
		"consent, on a card without":      {virtual.NISTPIV(), object.Template{object.AttrAlwaysAuthenticate.Is(true)}, ckr.TemplateInconsistent},
		"a number that stands for none":   {virtual.YubiKey57(), object.Template{piv.AttrPINPolicy.Is([]byte{9})}, ckr.AttributeValueInvalid},
		"two numbers":                     {virtual.YubiKey57(), object.Template{piv.AttrTouchPolicy.Is([]byte{1, 1})}, ckr.AttributeValueInvalid},
		"nothing":                         {virtual.YubiKey57(), object.Template{piv.AttrTouchPolicy.Is(nil)}, ckr.AttributeValueInvalid},
		"consent, and a policy otherwise": {virtual.YubiKey57(), object.Template{object.AttrAlwaysAuthenticate.Is(true), piv.AttrPINPolicy.Is([]byte{piv.PINOnce})}, ckr.TemplateInconsistent},
		"public, and a policy otherwise":  {virtual.YubiKey57(), object.Template{object.AttrPrivate.Is(false)}, ckr.TemplateInconsistent},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(c.persona))
			s := r.user(adminHex)
			with := onToken.With(object.AttrID.Is([]byte{1}))
			_, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, with.With(params("P-256")), with.With(c.ask...))
			r.code(err, c.want)
		})
	}
}

func TestAttestationKeyIsNotForSigning(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user("")
	o := r.one(s, object.ClassPrivateKey, 0x19)
	m, err := s.Mechanisms(t.Context(), o)
	if err != nil || len(m) > 0 {
		t.Errorf("%v, %v", m, err)
	}
	if sign, err := object.Get(t.Context(), o, object.AttrSign); err != nil || sign {
		t.Errorf("CKA_SIGN %v, %v", sign, err)
	}
}

// protected is a card whose management key is kept for the user's PIN, or
// derived from it, as YubiKey Manager does it.
func protected(t *testing.T, kept bool) *rig {
	t.Helper()
	p, salt := virtual.YubiKey57(), []byte("0123456789abcdef")
	notes := []byte{0x80, 0x09, 0x81, 0x01, 0x02, 0x83, 0x04, 1, 2, 3, 4}
	if !kept {
		key, err := pbkdf2.Key(sha1.New, userPIN, salt, 10000, 24)
		if err != nil {
			t.Fatal(err)
		}
		p.ManagementKey = key
		notes = append(append([]byte{0x80, 0x1B, 0x81, 0x01, 0x00, 0x82, 0x10}, salt...), 0x83, 0x04, 1, 2, 3, 4)
	}
	r := newRig(t, virtual.WithPIV(p))
	s := r.user(fmt.Sprintf("%x", p.ManagementKey))
	data := onToken.With(object.AttrClass.Is(object.ClassData))
	_, err := s.Create(t.Context(), data.With(object.AttrLabel.Is("YubiKey Administration"), object.AttrValue.Is(notes))...)
	r.must(err)
	if kept {
		v := append([]byte{0x88, 0x1A, 0x89, 0x18}, p.ManagementKey...)
		_, err = s.Create(t.Context(), data.With(object.AttrLabel.Is("Printed Information"), object.AttrPrivate.Is(true), object.AttrValue.Is(v))...)
		r.must(err)
	}
	r.must(s.Close())
	return r
}

func (r *rig) writes(s interface {
	Close() error
}, want ckr.Code) {
	r.Helper()
	r.must(s.Close())
	user := r.open("")
	r.must(user.Login(r.Context(), token.User, pin("654321")))
	with := onToken.With(object.AttrID.Is([]byte{1}))
	_, _, err := user.GenerateKeyPair(r.Context(), mechanism.ECKeyPairGen{}, with.With(params("P-256")), with)
	r.code(err, want)
}

// Whoever changes the PIN goes on writing with it.
func TestProtectedManagementKeyFollowsThePIN(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprint("kept ", kept), func(t *testing.T) {
			r := protected(t, kept)
			s := r.user("")
			r.must(s.SetPIN(t.Context(), pin(userPIN), pin("654321")))
			r.writes(s, ckr.OK)
		})
	}
}

func TestManagementKeyThatIsChangedIsKeptForTheUser(t *testing.T) {
	other := strings.Repeat("a5", 24)
	t.Run("kept", func(t *testing.T) {
		r := protected(t, true)
		s := r.open("")
		r.must(s.SetPIN(t.Context(), pin(userPIN), pin("654321")))
		r.must(s.Login(t.Context(), token.SO, pin(adminHex)))
		r.must(s.SetPIN(t.Context(), pin(adminHex), pin(other)))
		r.writes(s, ckr.OK)
	})
	t.Run("derived", func(t *testing.T) {
		r := protected(t, false)
		s := r.open("")
		r.must(s.SetPIN(t.Context(), pin(userPIN), pin("654321")))
		key, err := pbkdf2.Key(sha1.New, "654321", []byte("0123456789abcdef"), 10000, 24)
		r.must(err)
		r.must(s.Login(t.Context(), token.SO, token.NewPIN(key)))
		r.must(s.SetPIN(t.Context(), token.NewPIN(key), pin(other)))
		notes, err := object.Get(t.Context(), r.find(s, object.AttrLabel.Is("YubiKey Administration"))[0], object.AttrValue)
		if err != nil || fmt.Sprintf("%x", notes) != "8009810100830401020304" {
			t.Errorf("notes %x, %v", notes, err)
		}
		r.writes(s, ckr.UserNotLoggedIn) // with the PIN alone
	})
}

// A management key that asks for a touch goes on asking.
func TestManagementKeyKeepsItsTouchPolicy(t *testing.T) {
	touches := 0
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()), virtual.Touch(func() bool { touches++; return true }))
	s := r.open("")
	r.must(s.Login(t.Context(), token.SO, pin(adminHex)))
	conn, err := apdu.Dial(t.Context(), r.readers, "Virtual 00")
	r.must(err)
	defer conn.Close()
	r.must(conn.Exclusive(t.Context(), unhex("A00000030800001000"), func(ctx context.Context, tx *apdu.Tx) error {
		_, err := tx.Do(ctx, apdu.Command{INS: 0xFF, P1: 0xFF, P2: 0xFE, Data: unhex("0A9B18" + adminHex)})
		return err
	}))
	r.must(s.Logout(t.Context()))
	r.must(s.Login(t.Context(), token.SO, pin(adminHex)))
	touches = 0
	r.must(s.SetPIN(t.Context(), pin(adminHex), pin(strings.Repeat("a5", 32))))
	r.must(s.Logout(t.Context()))
	r.must(s.Login(t.Context(), token.SO, pin(strings.Repeat("a5", 32))))
	if touches < 2 {
		t.Errorf("%d touches", touches)
	}
}

// app opens the application for itself.
func (r *rig) app() *piv.Application {
	r.Helper()
	conn, err := apdu.Dial(r.Context(), r.readers, "Virtual 00")
	r.must(err)
	r.Cleanup(func() { conn.Close() })
	a, err := piv.Open(r.Context(), conn)
	r.must(err)
	return a
}

// Who has the PIN alone sets the tries, where the card keeps the rest; and goes
// on writing with the PIN that the card then has.
func TestTriesAreSetWithTheProtectedManagementKey(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprint("kept ", kept), func(t *testing.T) {
			r := protected(t, kept)
			s := r.user("")
			r.must(s.SetPIN(t.Context(), pin(userPIN), pin("111111")))
			r.must(s.Close())
			app := r.app()
			r.must(app.SetRetries(t.Context(), token.PIN{}, pin("111111"), 9, 8))
			if p, k, err := app.Tries(t.Context()); err != nil || p != 9 || k != 8 {
				t.Errorf("%d, %d, %v", p, k, err)
			}
			s = r.open("")
			r.must(s.SetPIN(t.Context(), pin(userPIN), pin("654321")))
			r.writes(s, ckr.OK)
		})
	}
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	r.code(r.app().SetRetries(t.Context(), token.PIN{}, pin(userPIN), 9, 8), ckr.UserNotLoggedIn)
}

func TestPUKIsChanged(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, virtual.WithPIV(p))
			app := r.app()
			err := app.ChangePUK(t.Context(), pin("00000000"), pin("87654321"))
			r.code(err, ckr.PINIncorrect)
			r.must(app.ChangePUK(t.Context(), pin(userPUK), pin("87654321")))
			s := r.open("")
			r.code(s.UnblockPIN(t.Context(), pin(userPUK), pin("111111")), ckr.PINIncorrect)
			r.must(s.UnblockPIN(t.Context(), pin("87654321"), pin("111111")))
			r.must(s.Login(t.Context(), token.User, pin("111111")))
		})
	}
}
