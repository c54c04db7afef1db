package session_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// certificateFor makes a certificate for a public key, by an authority that
// nobody knows.
func certificateFor(t testing.TB, pub crypto.PublicKey) *x509.Certificate {
	t.Helper()
	ca := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "someone"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, pub, ca))(t)))(t)
}

func attribute[T any](t testing.TB, o *object.Object, a object.Attr[T]) T {
	t.Helper()
	return must(object.Get(t.Context(), o, a))(t)
}

// On a card with slots a certificate goes to the slot of its key, under the
// card's own label, and nothing has to be said.
func TestCertificateGoesToTheSlotOfItsKey(t *testing.T) {
	for name, persona := range map[string]virtual.PIVPersona{"NIST": virtual.NISTPIV(), "YubiKey": virtual.YubiKey57()} {
		t.Run(name, func(t *testing.T) {
			card := virtual.New(virtual.WithPIV(persona))
			m := must(cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(card))))(t)
			defer m.Close()
			tok := must(m.Token(t.Context(), "pkcs11:"))(t)
			s := must(session.Open(t.Context(), tok, session.ReadWrite(), session.WithPINFunc(token.StaticPIN(virtual.DefaultPIVManagementKey()))))(t)
			noError(t, s.Login(t.Context(), token.User, token.NewPIN([]byte(virtual.DefaultPIVPIN))))
			for _, id := range []byte{1, 3, 2} {
				with := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{id})}
				pub, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, with.With(object.AttrECParams.Is(p256)), with)
				noError(t, err)
				cert := certificateFor(t, must(s.PublicKey(t.Context(), pub))(t))
				o, err := s.StoreCertificate(t.Context(), cert)
				noError(t, err)
				if got := attribute(t, o, object.AttrID); !bytes.Equal(got, []byte{id}) {
					t.Errorf("slot %d: stored with the id %x", id, got)
				}
				if got := attribute(t, o, object.AttrValue); !bytes.Equal(got, cert.Raw) {
					t.Errorf("slot %d: another certificate is there", id)
				}
			}
			stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
			_, err := s.StoreCertificate(t.Context(), certificateFor(t, stranger.Public()))
			isCode(t, err, ckr.TemplateIncomplete)
			o, err := s.StoreCertificate(t.Context(), certificateFor(t, stranger.Public()), object.AttrToken.Is(false))
			noError(t, err)
			if got := attribute(t, o, object.AttrLabel); got != "someone" {
				t.Errorf("a session object called %q", got)
			}
		})
	}
}

// On other cards a certificate gets the id of its key, whatever that is.
func TestCertificateGetsTheIDOfItsKey(t *testing.T) {
	s := newRig(t).openAs(token.User)
	with := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte("chosen"))}
	pub, _, err := s.GenerateKeyPair(t.Context(), mechanism.ECKeyPairGen{}, with.With(object.AttrECParams.Is(p256)), with)
	noError(t, err)
	key := must(s.PublicKey(t.Context(), pub))(t)
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t).Public()
	for name, c := range map[string]struct {
		key  crypto.PublicKey
		more []object.Attribute
		want []byte
	}{
		"its key's":     {key, nil, []byte("chosen")},
		"what is given": {key, []object.Attribute{object.AttrID.Is([]byte{9})}, []byte{9}},
		"of no key":     {stranger, nil, session.KeyID(stranger)},
	} {
		o, err := s.StoreCertificate(t.Context(), certificateFor(t, c.key), c.more...)
		noError(t, err)
		if got := attribute(t, o, object.AttrID); !bytes.Equal(got, c.want) {
			t.Errorf("%s: the id is %x, not %x", name, got, c.want)
		}
		if got := attribute(t, o, object.AttrLabel); got != "someone" {
			t.Errorf("%s: the label is %q", name, got)
		}
	}
}

func TestCertificateThatIsNoneIsRefused(t *testing.T) {
	s := newRig(t).openAs(token.User)
	for _, cert := range []*x509.Certificate{nil, {}, {Raw: []byte{0x30, 0}}} {
		_, err := s.StoreCertificate(t.Context(), cert)
		isCode(t, err, ckr.ArgumentsBad)
	}
}
