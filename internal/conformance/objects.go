package conformance

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// dataObjects: stored, found, read, changed and destroyed.
func dataObjects(r *rig) {
	ctx := r.Context()
	s := r.user()
	o, err := s.Create(ctx, data("one", true, false, "first value")...)
	if !r.offered("data objects", err) {
		return
	}
	_, err = s.Create(ctx, data("two", true, false, "")...)
	r.must(err)
	r.seen(s, 1, labelled("one"))
	r.seen(s, 2, object.AttrClass.Is(object.ClassData))
	r.seen(s, 0, labelled("three"))
	if v := r.value(o); v != "first value" {
		r.Errorf("the value is %q", v)
	}
	long := string(bytes.Repeat([]byte("0123456789"), 70))
	if err := s.Set(ctx, o, object.AttrValue.Is([]byte(long)), labelled("uno")); r.offered("changes", err) {
		if r.value(o) != long {
			r.Error("the value was not changed")
		}
		r.seen(s, 1, labelled("uno"))
		r.seen(s, 0, labelled("one"))
	}
	r.code(s.Set(ctx, o, object.AttrClass.Is(object.ClassCertificate)), ckr.AttributeReadOnly, ckr.AttributeTypeInvalid)
	if !r.offered("destroy", s.Destroy(ctx, o)) {
		return
	}
	_, err = object.Get(ctx, o, object.AttrLabel)
	r.code(err, ckr.ObjectHandleInvalid)
	r.code(s.Destroy(ctx, o), ckr.ObjectHandleInvalid)
	r.seen(s, 1, object.AttrClass.Is(object.ClassData))
}

// privateObjects: they exist for the user only, and handles do not outlive the
// login.
func privateObjects(r *rig) {
	ctx := r.Context()
	s := r.user()
	o, err := s.Create(ctx, data("secret", true, true, "for the user")...)
	if !r.offered("private data objects", err) {
		return
	}
	r.seen(s, 1, labelled("secret"))
	r.must(s.Logout(ctx))
	r.seen(s, 0, labelled("secret"))
	_, err = object.Get(ctx, o, object.AttrValue)
	r.code(err, ckr.ObjectHandleInvalid)
	_, err = s.Create(ctx, data("other", true, true, "x")...)
	r.code(err, ckr.UserNotLoggedIn)
	r.must(s.Login(ctx, token.User, pin(r.UserPIN)))
	_, err = object.Get(ctx, o, object.AttrValue)
	r.code(err, ckr.ObjectHandleInvalid)
	again := r.find(s, labelled("secret"))
	if len(again) != 1 || r.value(again[0]) != "for the user" {
		r.Errorf("%d objects after the next login", len(again))
	}
}

// sessionObjects live as long as their session, and are seen by all sessions
// of the application.
func sessionObjects(r *rig) {
	ctx := r.Context()
	s := r.user()
	other := r.open(false)
	o, err := s.Create(ctx, data("short-lived", false, false, "x")...)
	r.must(err)
	_, err = s.Create(ctx, data("short-lived and private", false, true, "x")...)
	r.must(err)
	r.seen(other, 2, object.AttrApplication.Is("conformance"))
	r.must(s.Logout(ctx))
	r.seen(other, 1, object.AttrApplication.Is("conformance"))
	r.must(s.Close())
	r.seen(other, 0, object.AttrApplication.Is("conformance"))
	_, err = object.Get(ctx, o, object.AttrLabel)
	r.code(err, ckr.ObjectHandleInvalid)
}

// certificates: one is made with a key of the token and stored beside it.
func certificates(r *rig) {
	ctx := r.Context()
	s := r.user()
	_, priv, ok := r.anyPair(s)
	if !ok {
		return
	}
	key, err := s.Key(ctx, priv)
	r.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Conformance"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	r.must(err)
	cert, err := x509.ParseCertificate(der)
	r.must(err)
	r.must(cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature))
	id, err := object.Get(ctx, priv, object.AttrID)
	r.must(err)
	_, err = s.Create(ctx, r.named("certificate", id).With(
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrToken.Is(true), object.AttrID.Is(id),
		object.AttrSubject.Is(cert.RawSubject), object.AttrValue.Is(der))...)
	if !r.offered("certificates", err) {
		return
	}
	found := r.find(s, object.AttrClass.Is(object.ClassCertificate), object.AttrID.Is(id))
	if len(found) != 1 || r.value(found[0]) != string(der) {
		r.Errorf("%d certificates with the key's id", len(found))
	}
	// Before login it is seen, too.
	r.must(s.Logout(ctx))
	r.seen(s, 1, object.AttrClass.Is(object.ClassCertificate), object.AttrID.Is(id))
}

// applications: logins and session objects are each application's own, objects
// of the token are everybody's.
func applications(r *rig) {
	ctx := r.Context()
	if r.Another == nil {
		r.without("a second application")
		return
	}
	s := r.user()
	other := r.openOn(r.Another(r.T), true)
	r.inState(other, token.RWPublic)
	_, err := s.Create(ctx, data("mine", false, false, "x")...)
	r.must(err)
	r.seen(other, 0, labelled("mine"))
	if _, err := s.Create(ctx, data("ours", true, false, "x")...); r.offered("data objects", err) {
		r.seen(other, 1, labelled("ours"))
	}
	r.code(other.Login(ctx, token.User, pin(r.OtherPIN)), ckr.PINIncorrect)
	r.inState(s, token.RWUser)
	r.must(other.Login(ctx, token.User, pin(r.UserPIN)))
	r.must(other.Logout(ctx))
	r.inState(s, token.RWUser)
	if _, priv, ok := r.anyPair(s); ok {
		r.signs(s, priv)
	}
}
