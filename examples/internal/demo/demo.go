// Package demo gives the examples something to work on: with no argument a
// virtual card in memory that has keys and certificates; with a PKCS #11 URI
// the readers of the machine, where the PIN is asked for on the terminal.
package demo

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/prompt"
)

// PIN is the user's PIN of the virtual card.
const PIN = "123456"

// Names of the keys of the virtual card; each has a certificate of the same
// name, made by that of CA.
const (
	CA     = "ca"
	EC     = "ec"     // P-256
	RSA    = "rsa"    // RSA-2048
	Client = "client" // P-256
)

// Open returns a module and the URI to work with: that of the first argument,
// or the one of the virtual card's key of that name. The module is closed with
// the program.
func Open(ctx context.Context, args []string, name string) (*cryptoki.Module, string, error) {
	if len(args) > 0 {
		m, err := cryptoki.Open(ctx, cryptoki.WithPIN(prompt.Terminal(os.Stdin, os.Stderr)), cryptoki.WithPINCache(cryptoki.CacheUntilLogout()))
		return m, args[0], err
	}
	card, err := NewCard(ctx)
	if err != nil {
		return nil, "", err
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)), cryptoki.WithPIN(token.StaticPIN([]byte(PIN))))
	return m, URI(name), err
}

// URI names a key of the virtual card.
func URI(name string) string { return "pkcs11:token=demo;object=" + name }

// NewCard returns a virtual card with keys and certificates.
func NewCard(ctx context.Context) (*virtual.Card, error) {
	card := virtual.New()
	p := virtual.NewProvider(virtual.Reader{Name: "Workshop", Card: card})
	defer p.Remove("Workshop")
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(p))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := initialise(ctx, m)
	if err != nil {
		return nil, err
	}
	return card, fill(ctx, s)
}

// initialise makes a token and returns a user session.
func initialise(ctx context.Context, m *cryptoki.Module) (*session.Session, error) {
	slots, err := m.Slots(ctx, true)
	if err != nil {
		return nil, err
	}
	t, err := slots[0].Token(ctx)
	if err != nil {
		return nil, err
	}
	so, user := token.NewPIN([]byte("87654321")), token.NewPIN([]byte(PIN))
	if err := t.Initialize(ctx, so, "demo"); err != nil {
		return nil, err
	}
	s, err := session.Open(ctx, t, session.ReadWrite())
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return s.Login(ctx, token.SO, so) },
		func() error { return s.InitPIN(ctx, user) },
		func() error { return s.Logout(ctx) },
		func() error { return s.Login(ctx, token.User, user) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// fill makes the keys and certificates.
func fill(ctx context.Context, s *session.Session) error {
	var issuer *x509.Certificate
	var signer crypto.Signer
	for i, name := range []string{CA, EC, RSA, Client} {
		key, err := generate(ctx, s, name, byte(i+1))
		if err != nil {
			return err
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
			DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}
		parent := issuer
		if issuer == nil { // the first one makes itself
			template.IsCA, template.ExtKeyUsage, template.DNSNames, template.IPAddresses = true, nil, nil, nil
			template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", name, err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if issuer == nil {
			issuer = cert
		}
		if _, err := s.StoreCertificate(ctx, cert, object.AttrLabel.Is(name), object.AttrID.Is([]byte{byte(i + 1)})); err != nil {
			return err
		}
	}
	return nil
}

func generate(ctx context.Context, s *session.Session, name string, id byte) (session.Key, error) {
	var m mechanism.Mechanism = mechanism.ECKeyPairGen{}
	what := object.AttrECParams.Is([]byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}) // P-256
	if name == RSA {
		m, what = mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)
	}
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is(name), object.AttrID.Is([]byte{id})}
	_, priv, err := s.GenerateKeyPair(ctx, m, common.With(what), common)
	if err != nil {
		return nil, err
	}
	return s.Key(ctx, priv)
}
