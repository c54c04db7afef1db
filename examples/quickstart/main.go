// Quickstart walks the whole PKCS #11 workflow on a virtual card in memory:
// initialise, open a session, log in, make keys and objects, use them, log
// out, close.
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log"
	"math/big"
	"os"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), virtual.New()); err != nil {
		log.Fatal(err)
	}
}

var n int

// step prints what has been done.
func step(format string, args ...any) {
	n++
	fmt.Printf("%2d  %s\n", n, fmt.Sprintf(format, args...))
}

var (
	soPIN   = token.NewPIN([]byte("87654321"))
	userPIN = token.NewPIN([]byte("123456"))
)

func run(ctx context.Context, card *virtual.Card) error {
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		return err
	}
	defer m.Close()
	step("opened the module")

	slots, err := m.Slots(ctx, true)
	if err != nil {
		return err
	}
	slot := slots[0]
	step("found %d slot with a token: %d, %q", len(slots), slot.ID(), slot.Info().Reader)

	t, err := slot.Token(ctx)
	if err != nil {
		return err
	}
	if err := initialise(ctx, t); err != nil {
		return err
	}

	s, err := session.Open(ctx, t, session.ReadWrite())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Login(ctx, token.User, userPIN); err != nil {
		return err
	}
	info, err := s.Info()
	if err != nil {
		return err
	}
	step("opened a session and logged in: %v", info.State)

	if err := work(ctx, s); err != nil {
		return err
	}

	if err := s.Logout(ctx); err != nil {
		return err
	}
	info, err = s.Info()
	if err != nil {
		return err
	}
	step("logged out: %v", info.State)
	if err := list(ctx, s); err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	if err := m.Close(); err != nil {
		return err
	}
	step("closed session and module; the card answered %d commands", card.Exchanges())
	return nil
}

// initialise makes a token on the blank card and sets the user's PIN.
func initialise(ctx context.Context, t token.Token) error {
	if err := t.Initialize(ctx, soPIN, "quickstart"); err != nil {
		return err
	}
	so, err := session.Open(ctx, t, session.ReadWrite())
	if err != nil {
		return err
	}
	defer so.Close()
	if err := so.Login(ctx, token.SO, soPIN); err != nil {
		return err
	}
	if err := so.InitPIN(ctx, userPIN); err != nil {
		return err
	}
	info, err := t.Info(ctx)
	if err != nil {
		return err
	}
	step("initialised the token %q, serial number %s, and the user's PIN", info.Label, info.Serial)
	return nil
}

// work makes keys and objects and uses them.
func work(ctx context.Context, s *session.Session) error {
	rsaPriv, err := generateRSA(ctx, s)
	if err != nil {
		return err
	}
	ecPriv, err := generateEC(ctx, s)
	if err != nil {
		return err
	}
	cert, err := selfSigned(ctx, s, ecPriv)
	if err != nil {
		return err
	}
	if err := store(ctx, s, cert); err != nil {
		return err
	}
	if err := list(ctx, s); err != nil {
		return err
	}
	return decrypt(ctx, s, rsaPriv)
}

func generateRSA(ctx context.Context, s *session.Session) (*object.Object, error) {
	_, priv, err := s.GenerateKeyPair(ctx, mechanism.RSAKeyPairGen{},
		object.Template{
			object.AttrToken.Is(true), object.AttrLabel.Is("mail"), object.AttrID.Is([]byte{1}),
			object.AttrModulusBits.Is(2048),
		},
		object.Template{
			object.AttrToken.Is(true), object.AttrLabel.Is("mail"), object.AttrID.Is([]byte{1}),
		})
	if err == nil {
		step("generated an RSA-2048 key pair on the card")
	}
	return priv, err
}

func generateEC(ctx context.Context, s *session.Session) (*object.Object, error) {
	p256 := []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}
	_, priv, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{},
		object.Template{
			object.AttrToken.Is(true), object.AttrLabel.Is("signing"), object.AttrID.Is([]byte{2}),
			object.AttrECParams.Is(p256),
		},
		object.Template{
			object.AttrToken.Is(true), object.AttrLabel.Is("signing"), object.AttrID.Is([]byte{2}),
		})
	if err == nil {
		step("generated a P-256 key pair on the card")
	}
	return priv, err
}

// selfSigned makes a certificate with the card's key as crypto.Signer, and
// has crypto/x509 verify it.
func selfSigned(ctx context.Context, s *session.Session, priv *object.Object) (*x509.Certificate, error) {
	key, err := s.Key(ctx, priv)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Quickstart"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots}); err != nil {
		return nil, err
	}
	step("signed a certificate with the card's key; crypto/x509 verifies it: %v", cert.Subject)
	return cert, nil
}

// store writes the certificate, and public and private data.
func store(ctx context.Context, s *session.Session, cert *x509.Certificate) error {
	_, err := s.Create(ctx,
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrToken.Is(true), object.AttrLabel.Is("signing"), object.AttrID.Is([]byte{2}),
		object.AttrSubject.Is(cert.RawSubject), object.AttrValue.Is(cert.Raw))
	if err != nil {
		return err
	}
	for _, private := range []bool{false, true} {
		name := map[bool]string{false: "notice", true: "diary"}[private]
		_, err := s.Create(ctx,
			object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(private),
			object.AttrLabel.Is(name), object.AttrApplication.Is("quickstart"), object.AttrValue.Is([]byte("for "+name)))
		if err != nil {
			return err
		}
	}
	step("stored the certificate, and data: one public, one private")
	return nil
}

// list prints the objects that the session sees.
func list(ctx context.Context, s *session.Session) error {
	step("the session sees:")
	for o, err := range s.Find(ctx) {
		if err != nil {
			return err
		}
		label, err := object.Get(ctx, o, object.AttrLabel)
		if err != nil {
			return err
		}
		private, err := object.Get(ctx, o, object.AttrPrivate)
		if err != nil {
			return err
		}
		fmt.Printf("      %-16v %-8s private=%v\n", o.Class(), label, private)
	}
	return nil
}

// decrypt decrypts with the card's key what was encrypted in software, and
// shows that signatures of the card are those of crypto/rsa.
func decrypt(ctx context.Context, s *session.Session, priv *object.Object) error {
	key, err := s.Key(ctx, priv)
	if err != nil {
		return err
	}
	pub := key.Public().(*rsa.PublicKey)
	secret, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, []byte("meet me at noon"), nil)
	if err != nil {
		return err
	}
	plain, err := key.(crypto.Decrypter).Decrypt(nil, secret, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil {
		return err
	}
	step("decrypted with the card's key: %q", plain)

	digest := sha256.Sum256(plain)
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig); err != nil {
		return err
	}
	step("signed with the card's key; crypto/rsa verifies it")

	if _, err := object.Get(ctx, priv, object.AttrPrivateExponent); !errors.Is(err, ckr.AttributeSensitive) {
		fmt.Fprintln(os.Stderr, "the private exponent should not be readable:", err)
		return errors.New("the card gave a secret away")
	}
	step("asked for the private exponent: it does not leave the card")
	return nil
}
