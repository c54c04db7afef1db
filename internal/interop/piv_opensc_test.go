//go:build linux

package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pivimage"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
)

// goldenPIV is a card of the US government's test set.
func goldenPIV(t *testing.T) virtual.PIVImage {
	t.Helper()
	i, err := pivimage.Read("../../apdu/virtual/testdata/piv/01_Golden_PIV.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// OpenSC lists a government card and tries all that its keys do.
func TestOpenSCUsesAGovernmentCard(t *testing.T) {
	b := pivBench(t, virtual.New(virtual.WithPIVImage(goldenPIV(t))), "pkcs15-tool", "pkcs11-tool", "piv-tool")
	contains(t, b.run("pkcs15-tool", "-D"), "PIV AUTH key", "SIGN key", "KEY MAN key", "CARD AUTH key", "Certificate for PIV Authentication", "Card Holder Unique Identifier")
	contains(t, b.run("pkcs11-tool", "--login", "--pin", pivPIN, "-O"), "Private Key Object; RSA", "Certificate for Digital Signature")
	out := b.run("pkcs11-tool", "--login", "--pin", pivPIN, "--test")
	contains(t, out, "No errors")
	contains(t, b.run("piv-tool", "--name"), "Personal Identity Verification Card")
}

// generated picks the public key out of what a card says when it makes one.
type generated struct {
	on     bool
	answer []byte
}

func (g *generated) observe(command, response []byte) {
	if command[1] == 0x47 {
		g.on, g.answer = true, nil
	}
	if g.on && (command[1] == 0x47 || command[1] == 0xC0) {
		g.answer = append(g.answer, response[:len(response)-2]...)
		g.on = response[len(response)-2] == 0x61
	}
}

func (g *generated) key(t *testing.T) any {
	t.Helper()
	template, err := tlv.Find(g.answer, 0x7F49)
	if err != nil {
		t.Fatal(err)
	}
	if point, err := tlv.Find(template, 0x86); err == nil {
		pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			t.Fatal(err)
		}
		return pub
	}
	n, err := tlv.Find(template, 0x81)
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
}

// piv-tool, which is what issues cards with OpenSC, makes keys and stores
// certificates; what it made is used by OpenSC and by this library. Version 0.23
// ends with an error of its own after the card has done what it was told, so
// what counts is what is on the card.
func TestPIVToolIssuesACard(t *testing.T) {
	for name, p := range map[string]virtual.PIVPersona{"nist": virtual.NISTPIV(), "yubikey": virtual.YubiKey57()} {
		t.Run(name, func(t *testing.T) {
			p.ManagementAlgorithm = 0x03
			var made generated
			card := virtual.New(virtual.WithPIV(p), virtual.Observe(made.observe))
			b := pivBench(t, card, "piv-tool", "pkcs11-tool", "pkcs15-tool")
			b.env = append(b.env, "PIV_EXT_AUTH_KEY="+b.write("key", []byte(strings.Join(pairs(pivKey), ":")+"\n")))
			for slot, alg := range map[string]string{"9A": "07", "9C": "11", "9D": "07"} {
				b.try("piv-tool", "-A", "M:9B:03", "-G", slot+":"+alg)
				cert := issue(t, made.key(t))
				b.try("piv-tool", "-A", "M:9B:03", "-C", slot, "-i", b.write(slot+".pem", cert))
			}
			contains(t, b.run("pkcs15-tool", "-D"), "PIV AUTH key", "SIGN key", "KEY MAN key")
			contains(t, b.run("pkcs11-tool", "--login", "--pin", pivPIN, "--test"), "No errors")
			pivSigns(t, card)
		})
	}
}

// issue makes a certificate for a key, in PEM.
func issue(t *testing.T, pub any) []byte {
	t.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issued"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func pairs(s string) (out []string) {
	for ; len(s) >= 2; s = s[2:] {
		out = append(out, s[:2])
	}
	return out
}

// pivSigns has this library find the keys that others made, and sign.
func pivSigns(t *testing.T, card *virtual.Card) {
	t.Helper()
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	slots, err := m.Slots(t.Context(), true)
	if err != nil || len(slots) != 1 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	tok, err := slots[0].Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	again(t, s)
	priv := find(t, s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrID.Is([]byte{1}))
	if _, err := s.Sign(t.Context(), mechanism.RSAPKCS{}, priv, []byte("message")); err != nil {
		t.Error(err)
	}
}
