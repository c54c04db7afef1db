package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pivimage"
)

func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){
		"cryptoki": func() { os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// leakless fails the tests if they leave a goroutine behind.
type leakless struct{ *testing.M }

func (m leakless) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// The stories in testdata are what people do with the command, right and
// wrong.
func TestStories(t *testing.T) {
	files := people(t)
	var err error
	if files["yubikey"], err = pivCard(filepath.Join(t.TempDir(), "yubikey")); err != nil {
		t.Fatal(err)
	}
	for name, image := range map[string]string{"good-piv": "01_Golden_PIV", "expired-piv": "09_Expired_CHUID_Signer"} {
		if files[name], err = imageCard(filepath.Join(t.TempDir(), name), image); err != nil {
			t.Fatal(err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			for name, b := range files {
				if err := os.WriteFile(filepath.Join(env.WorkDir, name), b, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// pivCard makes a card that comes as from the factory.
func pivCard(path string) (file []byte, err error) {
	card, err := virtual.Open(path, virtual.WithPIV(virtual.YubiKey57()))
	if err != nil {
		return nil, err
	}
	if err := card.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// imageCard makes a card of the US government's test set.
func imageCard(path, name string) (file []byte, err error) {
	image, err := pivimage.Read("../../apdu/virtual/testdata/piv/" + name + ".json.gz")
	if err != nil {
		return nil, err
	}
	card, err := virtual.Open(path, virtual.WithPIVImage(image))
	if err != nil {
		return nil, err
	}
	if err := card.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// people makes the files that the people of the stories come with: a server's
// key and certificate in PKCS #12 with the password "secret", the same key in
// PEM, and somebody's public key.
func people(t *testing.T) map[string][]byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "host.example"}, DNSNames: []string{"host.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p12, err := pkcs12.Modern.Encode(key, cert, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	peer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	peerDER, err := x509.MarshalPKIXPublicKey(peer.Public())
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(peer)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"server.p12": p12,
		"peer.pem":   pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: peerDER}),
		"ec.pem":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ecDER}),
		"cert.der":   der,
	}
}
