package pivgo

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-piv/piv-go/v2/piv"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// open plugs a card into a pcscd and opens it with piv-go.
func open(t *testing.T, card *virtual.Card) *piv.YubiKey {
	t.Helper()
	d := pcscdtest.Start(t)
	d.Plug(t, 0, card)
	os.Setenv("PCSCLITE_CSOCK_NAME", d.Socket()) // read once, by the first use of the library
	var yk *piv.YubiKey
	pcscdtest.Eventually(t, "the card to be opened", func() bool {
		cards, err := piv.Cards()
		if err != nil || !slices.Contains(cards, pcscdtest.Readers[0]) {
			return false
		}
		yk, err = piv.Open(pcscdtest.Readers[0])
		return err == nil
	})
	t.Cleanup(func() { yk.Close() })
	return yk
}

// TestPIVGo goes through what piv-go does with a YubiKey, in one daemon: its C
// library finds no other one later.
func TestPIVGo(t *testing.T) {
	card := virtual.New(virtual.WithPIV(virtual.YubiKey57()))
	yk := open(t, card)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if v := yk.Version(); v.Major != 5 || v.Minor != 7 {
		t.Errorf("version %v", v)
	}
	_, err := yk.Serial()
	must(err)
	if n, err := yk.Retries(); err != nil || n != 3 {
		t.Errorf("%d tries, %v", n, err)
	}
	admin := piv.DefaultManagementKey
	auth := piv.KeyAuth{PIN: piv.DefaultPIN}

	for _, k := range []struct {
		slot piv.Slot
		key  piv.Key
	}{
		{piv.SlotAuthentication, piv.Key{Algorithm: piv.AlgorithmRSA2048, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever}},
		{piv.SlotSignature, piv.Key{Algorithm: piv.AlgorithmEC256, PINPolicy: piv.PINPolicyAlways, TouchPolicy: piv.TouchPolicyAlways}},
		{piv.SlotKeyManagement, piv.Key{Algorithm: piv.AlgorithmEC384, PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever}},
		{piv.SlotCardAuthentication, piv.Key{Algorithm: piv.AlgorithmEd25519, PINPolicy: piv.PINPolicyNever, TouchPolicy: piv.TouchPolicyNever}},
	} {
		pub, err := yk.GenerateKey(admin, k.slot, k.key)
		must(err)
		info, err := yk.KeyInfo(k.slot)
		must(err)
		if info.Algorithm != k.key.Algorithm || info.PINPolicy != k.key.PINPolicy || info.TouchPolicy != k.key.TouchPolicy || info.Origin != piv.OriginGenerated {
			t.Errorf("%v: %+v", k.slot, info)
		}
		attest(t, yk, card, k.slot)
		priv, err := yk.PrivateKey(k.slot, pub, auth)
		must(err)
		use(t, priv, pub)
		if k.key.Algorithm != piv.AlgorithmEd25519 {
			store(t, yk, k.slot, priv.(crypto.Signer))
		}
	}

	retired, _ := piv.RetiredKeyManagementSlot(0x82)
	imported, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	must(yk.SetPrivateKeyInsecure(admin, retired, imported, piv.Key{PINPolicy: piv.PINPolicyOnce, TouchPolicy: piv.TouchPolicyNever}))
	priv, err := yk.PrivateKey(retired, imported.Public(), auth)
	must(err)
	use(t, priv, imported.Public())

	must(yk.SetPIN(piv.DefaultPIN, "654321"))
	must(yk.SetPUK(piv.DefaultPUK, "87654321"))
	must(yk.Unblock("87654321", "111111"))
	must(yk.VerifyPIN("111111"))
	if err := yk.VerifyPIN("999999"); err == nil {
		t.Error("a wrong PIN is right")
	}
	other := bytes.Repeat([]byte{0x5A, 0xC3}, 12)
	must(yk.SetManagementKey(admin, other))
	must(yk.SetMetadata(other, &piv.Metadata{ManagementKey: &other}))
	m, err := yk.Metadata("111111")
	must(err)
	if m.ManagementKey == nil || !bytes.Equal(*m.ManagementKey, other) {
		t.Error("the management key kept for the PIN is another")
	}
	must(yk.Reset())
	if err := yk.VerifyPIN(piv.DefaultPIN); err != nil {
		t.Error(err)
	}
}

// attest checks an attestation against the card's own authority.
func attest(t *testing.T, yk *piv.YubiKey, card *virtual.Card, slot piv.Slot) {
	t.Helper()
	by, err := yk.AttestationCertificate()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := yk.Attest(slot)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(card.PIVAttestationRoot())
	if err != nil {
		t.Fatal(err)
	}
	v := piv.Verifier{Roots: x509.NewCertPool()}
	v.Roots.AddCert(root)
	a, err := v.Verify(by, cert)
	if err != nil {
		t.Fatal(err)
	}
	if a.Slot.Key != slot.Key || a.Version.Major != 5 {
		t.Errorf("attested: %+v", a)
	}
}

// use does with a key what it can.
func use(t *testing.T, priv crypto.PrivateKey, pub crypto.PublicKey) {
	t.Helper()
	digest := sha256.Sum256([]byte("message"))
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		sig, err := priv.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil || rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig) != nil {
			t.Errorf("RSA signature: %v", err)
		}
		c, err := rsa.EncryptPKCS1v15(rand.Reader, pub, []byte("secret"))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := priv.(crypto.Decrypter).Decrypt(rand.Reader, c, nil); err != nil || string(plain) != "secret" {
			t.Errorf("%q, %v", plain, err)
		}
	case *ecdsa.PublicKey:
		sig, err := priv.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil || !ecdsa.VerifyASN1(pub, digest[:], sig) {
			t.Errorf("EC signature: %v", err)
		}
		if pub.Curve != elliptic.P384() {
			return
		}
		peer, err := ecdh.P384().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		own, err := pub.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		want, _ := peer.ECDH(own)
		got, err := priv.(*piv.ECDSAPrivateKey).ECDH(peer.PublicKey())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("ECDH: %v", err)
		}
	case ed25519.PublicKey:
		sig, err := priv.(crypto.Signer).Sign(rand.Reader, []byte("message"), crypto.Hash(0))
		if err != nil || !ed25519.Verify(pub, []byte("message"), sig) {
			t.Errorf("Ed25519 signature: %v", err)
		}
	}
}

// store puts a certificate into a slot and reads it back.
func store(t *testing.T, yk *piv.YubiKey, slot piv.Slot, key crypto.Signer) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "piv-go"},
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
	if err := yk.SetCertificate(piv.DefaultManagementKey, slot, cert); err != nil {
		t.Fatal(err)
	}
	back, err := yk.Certificate(slot)
	if err != nil || !back.Equal(cert) {
		t.Errorf("the certificate came back otherwise: %v", err)
	}
}
