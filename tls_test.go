package cryptoki_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TLS 1.0 and 1.1 sign MD5 and SHA-1 one after the other with an RSA key, and
// SHA-1 with a key on a curve. Servers and clients that still speak it do so
// with keys of all cards.
func TestOldTLSWithKeysOfAllKinds(t *testing.T) {
	rsa, ec := object.AttrModulusBits.Is(2048), object.AttrECParams.Is(oidP256)
	card := newCard(t, "demo", func(s *session.Session) {
		makeKey(t, s, "rsa", 1, rsa)
		makeKey(t, s, "ec", 2, ec)
		for name, k := range map[string]struct {
			m    mechanism.Mechanism
			what object.Attribute
		}{"session RSA": {mechanism.RSAKeyPairGen{}, rsa}, "session EC": {mechanism.ECKeyPairGen{}, ec}} {
			_, priv, err := s.GenerateKeyPair(t.Context(), k.m, object.Template{k.what}, nil)
			if err != nil {
				t.Fatal(err)
			}
			key, err := s.Key(t.Context(), priv)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) { speaksOldTLS(t, key) })
		}
	})
	yubiKey := virtual.New(virtual.WithPIV(virtual.YubiKey57()))
	onPIV(t, yubiKey, func(s *session.Session) {
		makePIVKey(t, s, 1, rsa)
		makePIVKey(t, s, 3, ec)
	})
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	n := openModule(t, virtual.Single(yubiKey), cryptoki.WithPIN(token.StaticPIN([]byte(virtual.DefaultPIVPIN))))
	for _, k := range []struct {
		name string
		m    *cryptoki.Module
		uri  string
	}{
		{"MyEID RSA", m, "pkcs11:object=rsa"}, {"MyEID EC", m, "pkcs11:object=ec"},
		{"YubiKey RSA", n, "pkcs11:id=%01"}, {"YubiKey EC", n, "pkcs11:id=%03"},
	} {
		t.Run(k.name, func(t *testing.T) {
			key, err := k.m.Key(t.Context(), k.uri)
			if err != nil {
				t.Fatal(err)
			}
			speaksOldTLS(t, key)
		})
	}
}

// speaksOldTLS has a key serve and ask in the old versions.
func speaksOldTLS(t *testing.T, key crypto.Signer) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"old"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	suites := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
	if _, ok := key.(crypto.Decrypter); ok {
		suites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		for _, suite := range suites {
			config := &tls.Config{
				Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
				ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: roots, RootCAs: roots, ServerName: "old",
				MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite},
			}
			handshake(t, config, config)
		}
	}
}

// onPIV gives a user session with a PIV card to fill it with.
func onPIV(t testing.TB, card *virtual.Card, fill func(s *session.Session)) {
	t.Helper()
	ctx := context.Background()
	p := virtual.Single(card)
	defer p.Remove("Virtual 00") // for the test's own reader
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(p))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Token(ctx, "pkcs11:")
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(ctx, tok, session.ReadWrite(), session.WithPINFunc(token.StaticPIN(virtual.DefaultPIVManagementKey())))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Login(ctx, token.User, token.NewPIN([]byte(virtual.DefaultPIVPIN))); err != nil {
		t.Fatal(err)
	}
	fill(s)
}

// makePIVKey generates a key in the slot with an id.
func makePIVKey(t testing.TB, s *session.Session, id byte, what object.Attribute) *object.Object {
	t.Helper()
	var m mechanism.Mechanism = mechanism.ECKeyPairGen{}
	if what.Type == object.AttrModulusBits.Type {
		m = mechanism.RSAKeyPairGen{}
	}
	with := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{id})}
	_, priv, err := s.GenerateKeyPair(context.Background(), m, with.With(what), with)
	if err != nil {
		t.Fatal(err)
	}
	return priv
}
