package engine

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// TestBackendThatDoesNoMoreThanItMust asks for everything that is optional.
func TestBackendThatDoesNoMoreThanItMust(t *testing.T) {
	ctx := t.Context()
	b := newBare(t, &link{})
	b.records = []driver.Record{recordOf("data", object.ClassData, false), keyRecord("key")}
	s := seatOn(t, b)
	o, key := found(t, s)[0], found(t, s)[1]
	onToken := object.Template{object.AttrToken.Is(true)}

	_, err := s.Create(ctx, onToken.With(object.AttrClass.Is(object.ClassData))...)
	code(t, err, ckr.FunctionNotSupported)
	code(t, s.Set(ctx, o, object.AttrLabel.Is("x")), ckr.AttributeReadOnly)
	code(t, s.Destroy(ctx, o), ckr.ActionProhibited)
	_, err = s.Copy(ctx, o)
	code(t, err, ckr.FunctionNotSupported)
	_, _, err = s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, object.Template{object.AttrECParams.Is([]byte{6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7})}, onToken)
	code(t, err, ckr.FunctionNotSupported)
	_, err = s.GenerateKey(ctx, mechanism.AESKeyGen{}, onToken.With(object.AttrValueLen.Is(16)))
	code(t, err, ckr.FunctionNotSupported)
	_, err = s.Grant(ctx, "sign", key, ToSign, mechanism.ECDSA{})
	code(t, err, ckr.KeyTypeInconsistent)
	code(t, s.SetPIN(ctx, token.NewPIN([]byte("1234")), token.NewPIN([]byte("5678"))), ckr.FunctionNotSupported)
	code(t, s.UnblockPIN(ctx, token.NewPIN([]byte("1234")), token.NewPIN([]byte("5678"))), ckr.FunctionNotSupported)
	if r, err := s.Random(ctx, 20); err != nil || len(r) != 20 {
		t.Errorf("%d random bytes, %v", len(r), err)
	}
	_, err = s.Random(ctx, -1)
	code(t, err, ckr.ArgumentsBad)
	code(t, s.t.Initialize(ctx, token.NewPIN([]byte("1234")), "x"), ckr.FunctionNotSupported)
	// Session objects need no card.
	if _, err := s.Copy(ctx, o, object.AttrToken.Is(false)); err != nil {
		t.Error(err)
	}
}

// TestOneBadObjectHidesNoOther lists a damaged object among others.
func TestOneBadObjectHidesNoOther(t *testing.T) {
	ctx := t.Context()
	b := newBare(t, &link{})
	bad := recordOf("bad", object.ClassData, false)
	bad.Err = ckr.New(ckr.DeviceError, "", nil)
	b.records = []driver.Record{recordOf("a", object.ClassData, false), bad, recordOf("z", object.ClassData, false), recordOf("z", object.ClassData, false)}
	b.read = map[driver.Ref]object.Template{"z": {object.AttrValue.Is([]byte("value"))}}
	s := seatOn(t, b)
	all := found(t, s)
	if len(all) != 3 {
		t.Fatalf("%d objects are found", len(all))
	}
	if label, err := object.Get(ctx, all[1], object.AttrLabel); label != "bad" || err != nil {
		t.Errorf("what is known of the bad one: %q, %v", label, err)
	}
	_, err := object.Get(ctx, all[1], object.AttrValue)
	code(t, err, ckr.DeviceError)
	if v, err := object.Get(ctx, all[2], object.AttrValue); string(v) != "value" || err != nil {
		t.Errorf("another object: %q, %v", v, err)
	}
}

// TestBackendAsksForConsent has a key whose use the card wants confirmed,
// though no attribute says so.
func TestBackendAsksForConsent(t *testing.T) {
	ctx := t.Context()
	b := &signer{bare: newBare(t, &link{})}
	b.consent = true
	b.records = []driver.Record{keyRecord("key")}
	s := seatOn(t, b)
	g, err := s.Grant(ctx, "sign", found(t, s)[0], ToSign, mechanism.ECDSA{})
	if err != nil || !g.Consent() {
		t.Fatal(g.Consent(), err)
	}
	sign := func(a driver.Auth) error {
		_, err := s.Sign(ctx, Use{Grant: g, Op: "sign", Auth: a}, mechanism.ECDSA{}, nil)
		return err
	}
	code(t, sign(driver.Auth{}), ckr.UserNotLoggedIn)
	code(t, sign(driver.Auth{Consent: token.NewPIN([]byte("9999"))}), ckr.PINIncorrect)
	if b.used > 0 {
		t.Error("the card was asked to sign")
	}
	if err := sign(driver.Auth{Consent: token.NewPIN([]byte("1234"))}); err != nil || b.used != 1 {
		t.Errorf("with consent: %v, %d uses", err, b.used)
	}
}
