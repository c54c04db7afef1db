package interop

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
)

var (
	p256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}
	p384 = []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22}
	p521 = []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23}
)

// generate makes a key pair on the card.
func generate(t *testing.T, s *session.Session, label string, id byte, m mechanism.Mechanism, what object.Attribute) (pub, priv *object.Object) {
	t.Helper()
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is(label), object.AttrID.Is([]byte{id})}
	pub, priv, err := s.GenerateKeyPair(t.Context(), m, common.With(what), common)
	if err != nil {
		t.Fatalf("generate %s: %v", label, err)
	}
	return pub, priv
}

// certify makes a self-signed certificate for a key and stores it.
func certify(t *testing.T, s *session.Session, label string, id byte, priv *object.Object) *x509.Certificate {
	t.Helper()
	key, err := s.Key(t.Context(), priv)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, key)
	_, err = s.Create(t.Context(),
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrToken.Is(true), object.AttrLabel.Is(label), object.AttrID.Is([]byte{id}),
		object.AttrSubject.Is(cert.RawSubject), object.AttrValue.Is(cert.Raw))
	if err != nil {
		t.Fatalf("store certificate: %v", err)
	}
	return cert
}

func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "Interop"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatalf("sign certificate: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// data stores a data object.
func data(t *testing.T, s *session.Session, label string, private bool, value []byte) *object.Object {
	t.Helper()
	o, err := s.Create(t.Context(),
		object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(private),
		object.AttrLabel.Is(label), object.AttrApplication.Is("interop"), object.AttrValue.Is(value))
	if err != nil {
		t.Fatalf("store %s: %v", label, err)
	}
	return o
}
