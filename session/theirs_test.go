package session_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestCardOfAnotherMaker works with a card that OpenSC made: what the card
// itself demands comes on top of the rules.
func TestCardOfAnotherMaker(t *testing.T) {
	ctx := t.Context()
	card, userPIN := cardOfOpenSC(t)
	r := rigOn(t, card, virtual.Single(card))
	s := r.open(true)
	public := labels(t, s)
	if private := find(t, s, object.AttrPrivate.Is(true)); len(private) > 0 {
		t.Errorf("before login %v are found", private)
	}
	// The card writes for the user only, public objects too.
	_, err := s.Create(ctx, data(engine.PublicToken, "early")...)
	isCode(t, err, ckr.UserNotLoggedIn)
	if diff := cmp.Diff(public, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	noError(t, s.Login(ctx, token.User, pin(userPIN)))
	all := labels(t, s)
	for _, kind := range []engine.Kind{engine.PublicToken, engine.PrivateToken} {
		o := must(s.Create(ctx, data(kind, kind.String())...))(t)
		if v := must(object.Get(ctx, o, object.AttrValue))(t); string(v) != "value of "+kind.String() {
			t.Errorf("%v: the value is %q", kind, v)
		}
		noError(t, s.Set(ctx, o, object.AttrLabel.Is("renamed")))
		f := foreignRig(t, r).open(false)
		if _, ok := labelled(t, f, "renamed"); ok == kind.Private() {
			t.Errorf("%v: another program finds it without login: %v", kind, ok)
		}
		noError(t, s.Destroy(ctx, o))
	}
	cert := ownCertificate(t)
	for _, o := range []object.Template{
		{object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
			object.AttrSubject.Is(cert.RawSubject), object.AttrValue.Is(cert.Raw)},
		{object.AttrClass.Is(object.ClassSecretKey), object.AttrKeyType.Is(object.KeyAES), object.AttrValue.Is(make([]byte, 16)), object.AttrPrivate.Is(true)},
	} {
		made := must(s.Create(ctx, o.With(object.AttrToken.Is(true), object.AttrLabel.Is("brought"))...))(t)
		if _, ok := labelled(t, foreignRig(t, r).open(false), "brought"); ok == object.Is(o, object.AttrPrivate) {
			t.Errorf("%v: another program finds it without login: %v", made.Class(), ok)
		}
		noError(t, s.Destroy(ctx, made))
	}
	_, priv := pair(t, s, engine.PrivateToken, "new key")
	must(s.Sign(ctx, mechanism.ECDSA{}, priv, make([]byte, 32)))(t)
	for _, o := range find(t, s, object.AttrLabel.Is("new key")) {
		noError(t, s.Destroy(ctx, o))
	}
	if diff := cmp.Diff(all, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	r.logout(s)
	if diff := cmp.Diff(public, labels(t, s)); diff != "" {
		t.Error(diff)
	}
	isCode(t, s.Login(ctx, token.SO, pin("12345678")), ckr.PINIncorrect)
	inState(t, s, token.RWPublic)
}

// ownCertificate is a certificate that a key made for it has signed.
func ownCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	subject := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "brought"}}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, subject, subject, key.Public(), key))(t)))(t)
}
