// Package cardtest makes virtual cards that have a token with keys and
// certificates on it, for the tests of programs that use this library, as
// net/http/httptest does for theirs:
//
//	readers, err := cardtest.Readers(ctx, cardtest.Key{Label: "signing", Type: cardtest.P256})
//	if err != nil {
//		return err
//	}
//	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers), cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
//	if err != nil {
//		return err
//	}
//	key, err := m.Key(ctx, "pkcs11:object=signing")
//
// The card is a virtual.Card in the reader Reader; it can be reset, pulled out
// and put back through the provider. What goes wrong on real cards can be made
// to go wrong with virtual.Faults.
package cardtest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// What all cards of this package have in common.
const (
	Label  = "test" // of the token
	Reader = "Virtual 00"
	PIN    = "123456"
	SOPIN  = "87654321"
)

// Type is a type of key.
type Type string

// The types of keys that the card makes.
const (
	RSA2048 Type = "RSA-2048"
	RSA3072 Type = "RSA-3072"
	RSA4096 Type = "RSA-4096"
	P256    Type = "P-256"
	P384    Type = "P-384"
	P521    Type = "P-521"
)

// curves are the object identifiers of CKA_EC_PARAMS.
var curves = map[Type][]byte{
	P256: {0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07},
	P384: {0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22},
	P521: {0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23},
}

var moduli = map[Type]uint64{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}

// Key is a key pair to make, and the certificate for it. The first key is a
// certification authority, which makes the certificates of all; they are good
// for localhost, for servers and clients.
type Key struct {
	Label string
	Type  Type
	// Always asks for the PIN at each use (CKA_ALWAYS_AUTHENTICATE).
	Always bool
}

// Readers returns a provider with one reader, and in it a new card with the
// given keys. Their ids are 01, 02 and so on.
func Readers(ctx context.Context, keys ...Key) (*virtual.Provider, error) {
	card, err := Card(ctx, keys...)
	if err != nil {
		return nil, err
	}
	return virtual.NewProvider(virtual.Reader{Name: Reader, Card: card}), nil
}

// Card returns a new card with the given keys, in no reader.
func Card(ctx context.Context, keys ...Key) (*virtual.Card, error) {
	const bench = "workbench"
	card := virtual.New()
	p := virtual.NewProvider(virtual.Reader{Name: bench, Card: card})
	defer p.Remove(bench)
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(p))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s, err := initialise(ctx, m)
	if err != nil {
		return nil, err
	}
	return card, fill(ctx, s, keys)
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
	so, user := token.NewPIN([]byte(SOPIN)), token.NewPIN([]byte(PIN))
	if err := t.Initialize(ctx, so, Label); err != nil {
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
func fill(ctx context.Context, s *session.Session, keys []Key) error {
	var issuer *x509.Certificate
	var signer crypto.Signer
	for i, k := range keys {
		id := []byte{byte(i + 1)}
		key, err := generate(ctx, s, k, id)
		if err != nil {
			return fmt.Errorf("key %q: %w", k.Label, err)
		}
		template := certificate(k.Label, int64(i+1), issuer == nil)
		parent := issuer
		if issuer == nil {
			parent, signer = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			return fmt.Errorf("certificate of %q: %w", k.Label, err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if issuer == nil {
			issuer = cert
		}
		if _, err := s.StoreCertificate(ctx, cert, object.AttrLabel.Is(k.Label), object.AttrID.Is(id)); err != nil {
			return err
		}
	}
	return nil
}

func certificate(name string, serial int64, ca bool) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageEmailProtection},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ca {
		c.IsCA = true
		c.KeyUsage |= x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	return c
}

func generate(ctx context.Context, s *session.Session, k Key, id []byte) (session.Key, error) {
	var m mechanism.Mechanism = mechanism.ECKeyPairGen{}
	what := object.AttrECParams.Is(curves[k.Type])
	if bits, ok := moduli[k.Type]; ok {
		m, what = mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(bits)
	} else if curves[k.Type] == nil {
		return nil, fmt.Errorf("there is no type %q", k.Type)
	}
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is(k.Label), object.AttrID.Is(id)}
	priv := common
	if k.Always {
		priv = priv.With(object.AttrAlwaysAuthenticate.Is(true))
	}
	_, o, err := s.GenerateKeyPair(ctx, m, common.With(what), priv)
	if err != nil {
		return nil, err
	}
	return s.Key(ctx, o, session.WithConsent(func(_ context.Context, _ token.PINRequest, login func(token.PIN) error) error {
		return login(token.NewPIN([]byte(PIN)))
	}))
}
