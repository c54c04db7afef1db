package cryptoki_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// world has keys, certificates, and the cards that hold them.
type world struct {
	*testing.T
	keys  map[string]crypto.Signer
	certs map[string]*x509.Certificate
	cards []virtual.Reader
	uri   string
	opts  []cryptoki.CertificateOption
}

// key returns the key of a name; one whose name begins with rsa is an RSA key.
func (w *world) key(name string) crypto.Signer {
	w.Helper()
	if k := w.keys[name]; k != nil {
		return k
	}
	var k crypto.Signer
	var err error
	if strings.HasPrefix(name, "rsa") {
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.keys[name] = k
	return k
}

// issue is a certificate to make. What is empty is the name of the certificate.
type issue struct {
	subject, key string
	by           string // the certificate of the issuer
	from, until  int    // hours from now; an hour ago and two hours on unless given
	end          bool   // it is no authority's
	how          x509.SignatureAlgorithm
	extensions   []pkix.Extension
	ownID        []byte // SubjectKeyId
	authorityID  []byte // AuthorityKeyId, instead of the issuer's SubjectKeyId
}

// issue makes a certificate.
func (w *world) issue(name string, i issue) *x509.Certificate {
	w.Helper()
	or := func(s *string) {
		if *s == "" {
			*s = name
		}
	}
	or(&i.subject)
	or(&i.key)
	if i.from == 0 && i.until == 0 {
		i.from, i.until = -1, 2
	}
	key := w.key(i.key)
	now := time.Now().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(w.certs) + 1)), Subject: pkix.Name{CommonName: i.subject},
		NotBefore: now.Add(time.Duration(i.from) * time.Hour), NotAfter: now.Add(time.Duration(i.until) * time.Hour),
		IsCA: !i.end, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, SignatureAlgorithm: i.how,
		ExtraExtensions: i.extensions, SubjectKeyId: i.ownID, AuthorityKeyId: i.authorityID,
	}
	if !i.end {
		template.KeyUsage |= x509.KeyUsageCertSign
	} else {
		template.DNSNames = []string{"web"}
	}
	parent, signer := template, key
	if i.by != "" {
		parent = w.certs[i.by]
		signer = w.signerOf(parent)
		if i.authorityID != nil {
			parent = &x509.Certificate{RawSubject: parent.RawSubject, SubjectKeyId: i.authorityID, PublicKey: parent.PublicKey}
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	return w.put(name, der)
}

func (w *world) put(name string, der []byte) *x509.Certificate {
	w.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		w.Fatalf("%s: %v", name, err)
	}
	w.certs[name] = c
	return c
}

// signerOf returns the key of a certificate.
func (w *world) signerOf(c *x509.Certificate) crypto.Signer {
	w.Helper()
	for _, k := range w.keys {
		if e, ok := k.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && e.Equal(c.PublicKey) {
			return k
		}
	}
	w.Fatalf("nobody has the key of %v", c.Subject)
	return nil
}

// nameOf returns the name of a certificate. An attestation is another one each
// time that the card makes it.
func (w *world) nameOf(c *x509.Certificate) string {
	for name, x := range w.certs {
		if x.Equal(c) || name == "attestation" && x.Subject.CommonName == c.Subject.CommonName {
			return name
		}
	}
	return "?"
}

var (
	oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

func (w *world) der(v any) []byte {
	w.Helper()
	b, err := asn1.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// pss is the algorithm identifier of RSA-PSS with SHA-256 and a salt length.
func (w *world) pss(salt int) []byte {
	w.Helper()
	hash := pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}
	params := struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		MGF  pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
		Salt int                      `asn1:"explicit,tag:2"`
	}{hash, pkix.AlgorithmIdentifier{Algorithm: oidMGF1, Parameters: asn1.RawValue{FullBytes: w.der(hash)}}, salt}
	return w.der(pkix.AlgorithmIdentifier{Algorithm: oidRSAPSS, Parameters: asn1.RawValue{FullBytes: w.der(params)}})
}

// alter makes a certificate anew, with another algorithm identifier and
// signature, and if spki is not nil with another public key.
func (w *world) alter(name string, algorithm []byte, spki []byte, sign func(tbs []byte) []byte) {
	w.Helper()
	var fields []asn1.RawValue
	if _, err := asn1.Unmarshal(w.certs[name].RawTBSCertificate, &fields); err != nil {
		w.Fatal(err)
	}
	fields[2] = asn1.RawValue{FullBytes: algorithm}
	if spki != nil {
		fields[6] = asn1.RawValue{FullBytes: spki}
	}
	tbs := w.der(fields)
	sig := sign(tbs)
	w.put(name, w.der([]asn1.RawValue{{FullBytes: tbs}, {FullBytes: algorithm}, {FullBytes: w.der(asn1.BitString{Bytes: sig, BitLength: 8 * len(sig)})}}))
}

// pssSigner signs with RSA-PSS, SHA-256 and a salt length.
func (w *world) pssSigner(key string, salt int) func(tbs []byte) []byte {
	return func(tbs []byte) []byte {
		digest := sha256.Sum256(tbs)
		sig, err := w.key(key).Sign(rand.Reader, digest[:], &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: salt})
		if err != nil {
			w.Fatal(err)
		}
		return sig
	}
}

// Things on cards.
type (
	key  struct{ name, label string } // a private key, as id 01 unless another one is there
	cert struct{ name, label string } // a certificate, with the id of its key
	blob struct{ label string }       // a certificate that is none, as id 01
	copy struct {                     // a certificate with any id
		name, label string
		id          byte
	}
)

// card makes a card of the PKCS #15 family.
func (w *world) card(things ...any) {
	w.Helper()
	ctx := context.Background()
	ids := map[string]byte{}
	label := fmt.Sprintf("card %d", len(w.cards))
	c := newCard(w, label, func(s *session.Session) {
		create := func(t ...object.Attribute) {
			w.Helper()
			if _, err := s.Create(ctx, append(t, object.AttrToken.Is(true))...); err != nil {
				w.Fatal(err)
			}
		}
		certificate := func(label string, id []byte, more ...object.Attribute) {
			w.Helper()
			create(append(more, object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
				object.AttrLabel.Is(label), object.AttrID.Is(id))...)
		}
		for _, x := range things {
			switch x := x.(type) {
			case key:
				ids[x.name] = byte(len(ids) + 1)
				values, err := soft.PrivateTemplate(w.key(x.name))
				if err != nil {
					w.Fatal(err)
				}
				create(values.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is(x.label),
					object.AttrID.Is([]byte{ids[x.name]}), object.AttrSign.Is(true))...)
			case cert:
				c := w.certs[x.name]
				id := session.KeyID(c.PublicKey)
				for name, known := range ids {
					if e, ok := w.key(name).Public().(interface{ Equal(crypto.PublicKey) bool }); ok && e.Equal(c.PublicKey) {
						id = []byte{known}
					}
				}
				certificate(x.label, id, object.AttrSubject.Is(c.RawSubject), object.AttrValue.Is(c.Raw))
			case copy:
				c := w.certs[x.name]
				certificate(x.label, []byte{x.id}, object.AttrSubject.Is(c.RawSubject), object.AttrValue.Is(c.Raw))
			case blob:
				certificate(x.label, []byte{1}, object.AttrSubject.Is([]byte{0x30, 0}), object.AttrValue.Is([]byte{0x30, 3, 2, 1, 0}))
			}
		}
	})
	w.cards = append(w.cards, virtual.Reader{Name: label, Card: c})
}

// yubiKey makes a YubiKey with a key that it has generated in the slot with the
// id 01, which becomes the key of a name, and has fill store its certificates.
func (w *world) yubiKey(name string, fill func(s *session.Session)) {
	w.Helper()
	c := virtual.New(virtual.WithPIV(virtual.YubiKey57()))
	onPIV(w, c, func(s *session.Session) {
		k, err := s.Key(context.Background(), makePIVKey(w, s, 1, object.AttrECParams.Is(oidP256)))
		if err != nil {
			w.Fatal(err)
		}
		w.keys[name] = k
		fill(s)
	})
	w.cards = append(w.cards, virtual.Reader{Name: fmt.Sprintf("card %d", len(w.cards)), Card: c})
}

func (w *world) store(s *session.Session, name string) {
	w.Helper()
	if _, err := s.StoreCertificate(context.Background(), w.certs[name]); err != nil {
		w.Fatal(err)
	}
}

// attested is what a YubiKey says in an attestation.
func attested(arcs ...int) (list []pkix.Extension) {
	for _, arc := range arcs {
		list = append(list, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, arc}, Value: []byte{5, 7, 1}})
	}
	return list
}

// constellation is what is on cards, and what someone who knows TLS would
// choose.
type constellation struct {
	name  string
	build func(w *world)

	chain    []string                    // names of the certificates
	problems []cryptoki.ChainProblemKind // with them
	says     string                      // a part of the first problem or the error
	code     ckr.Code                    // there is no certificate
	tls      ckr.Code                    // there is none for TLS, although there is a certificate
	trusts   string                      // what a peer trusts
	refused  bool                        // by a peer, in spite of that
}

const (
	stops, unchecked, weak = cryptoki.ChainStops, cryptoki.ChainUnchecked, cryptoki.ChainWeak
	expired, notYet        = cryptoki.ChainExpired, cryptoki.ChainNotYetValid
)

type problems = []cryptoki.ChainProblemKind

// authorities makes a root and an authority below it.
func authorities(w *world) {
	w.issue("root", issue{})
	w.issue("ca", issue{by: "root"})
}

// leaf makes the usual certificate of a server.
func leaf(w *world) { w.issue("leaf", issue{by: "ca", end: true}) }

var constellations = []constellation{
	{name: "all is there", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "stored in the reverse order", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"root", "Root"}, cert{"ca", "CA"}, cert{"leaf", "web"})
	}},
	{name: "no root", chain: []string{"leaf", "ca"}, problems: problems{stops}, says: "no certificate of its issuer CN=root", trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"})
	}},
	{name: "no issuer", chain: []string{"leaf"}, problems: problems{stops}, trusts: "root", refused: true, build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"})
	}},
	{name: "signed by itself", chain: []string{"leaf"}, trusts: "leaf", build: func(w *world) {
		w.issue("leaf", issue{end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"})
	}},

	// Several certificates of one key.
	{name: "renewed", chain: []string{"new", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: 1})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: -1, until: 3})
		w.card(key{"leaf", "web"}, cert{"old", "web"}, cert{"new", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "renewed, the new one stored first", chain: []string{"new", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: 4})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: -1, until: 3})
		w.card(key{"leaf", "web"}, cert{"new", "web"}, cert{"old", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "renewed, the old one is over", chain: []string{"new", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: -2})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: -2, until: 3})
		w.card(key{"leaf", "web"}, cert{"old", "web"}, cert{"new", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "renewed, the new one's time has not come", chain: []string{"old", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: 1})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: 1, until: 3})
		w.card(key{"leaf", "web"}, cert{"new", "web"}, cert{"old", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "renewed under another label, named by its key", chain: []string{"new", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: 1})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: -1, until: 3})
		w.card(key{"leaf", "web"}, cert{"old", "web"}, copy{"new", "renewed", 9}, cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri = "pkcs11:object=web;type=private"
	}},
	{name: "both are over", chain: []string{"later", "ca", "root"}, problems: problems{expired}, trusts: "root", refused: true, build: func(w *world) {
		authorities(w)
		w.issue("earlier", issue{by: "ca", end: true, key: "leaf", from: -5, until: -4})
		w.issue("later", issue{by: "ca", end: true, key: "leaf", from: -3, until: -2})
		w.card(key{"leaf", "web"}, cert{"earlier", "web"}, cert{"later", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "one certificate twice", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, copy{"leaf", "web", 7}, cert{"ca", "CA"}, copy{"ca", "CA", 8}, cert{"root", "Root"})
	}},
	{name: "the old one named by a URI", chain: []string{"old", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: 1})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: -1, until: 3})
		w.card(key{"leaf", "web"}, cert{"old", "former"}, cert{"new", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri, w.opts = "pkcs11:object=web;type=private", []cryptoki.CertificateOption{cryptoki.WithCertificateURI("pkcs11:object=former")}
	}},
	{name: "the old one named by its serial number", chain: []string{"old", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		old := w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -3, until: 1})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: -1, until: 3})
		w.card(key{"leaf", "web"}, cert{"old", "web"}, cert{"new", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
		w.opts = []cryptoki.CertificateOption{cryptoki.WithCertificate(func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(old.SerialNumber) == 0 })}
	}},
	{name: "none that the option means", code: ckr.ObjectHandleInvalid, says: "none of them the options", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"})
		w.opts = []cryptoki.CertificateOption{cryptoki.WithCertificate(func(*x509.Certificate) bool { return false })}
	}},

	// Several keys.
	{name: "two keys of one label", code: ckr.ArgumentsBad, says: "2 things", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.issue("other", issue{by: "ca", end: true})
		w.card(key{"leaf", "web"}, key{"other", "web"}, cert{"leaf", "web"}, cert{"other", "web"})
	}},
	{name: "all of the card, of which one has a key", code: ckr.ArgumentsBad, build: func(w *world) { // Certificate cannot know
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"ca", "CA"}, cert{"leaf", "web"}, cert{"root", "Root"})
		w.uri = "pkcs11:token=card%200"
	}, trusts: "root"},
	{name: "a certificate without a key", chain: []string{"leaf", "ca", "root"}, tls: ckr.KeyHandleInvalid, build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"unrelated", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "a certificate of another key under the key's id", code: ckr.ObjectHandleInvalid, says: "no certificate", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"unrelated", "web"}, copy{"leaf", "web", 1}, cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri = "pkcs11:object=web;type=private"
	}},
	{name: "the certificate is on another card than its key", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"})
		w.card(cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri, w.opts = "pkcs11:object=web;type=private", []cryptoki.CertificateOption{cryptoki.WithCertificateURI("pkcs11:object=web")}
	}},

	// Authorities.
	{name: "two have certified each other", chain: []string{"leaf", "A by B", "B by A"}, problems: problems{stops}, says: "certified each other", trusts: "B", build: func(w *world) {
		w.issue("A", issue{})
		w.issue("B", issue{})
		w.issue("A by B", issue{subject: "A", key: "A", by: "B"})
		w.issue("B by A", issue{subject: "B", key: "B", by: "A"})
		w.issue("leaf", issue{by: "A", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"A by B", "a"}, cert{"B by A", "b"})
	}},
	{name: "one of two that have certified each other", chain: []string{"A by B", "B by A"}, problems: problems{stops}, says: "certified each other", build: func(w *world) {
		w.issue("A", issue{})
		w.issue("B", issue{})
		w.issue("A by B", issue{subject: "A", key: "A", by: "B"})
		w.issue("B by A", issue{subject: "B", key: "B", by: "A"})
		w.card(key{"A", "web"}, cert{"A by B", "web"}, cert{"B by A", "b"})
	}},
	{name: "two have certified each other, and themselves", chain: []string{"leaf", "A"}, trusts: "A", build: func(w *world) {
		w.issue("A", issue{})
		w.issue("B", issue{})
		w.issue("A by B", issue{subject: "A", key: "A", by: "B"})
		w.issue("B by A", issue{subject: "B", key: "B", by: "A"})
		w.issue("leaf", issue{by: "A", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"A by B", "a"}, cert{"B by A", "b"}, cert{"B", "B"}, cert{"A", "A"})
	}},
	{name: "the root is over, and certified by another", chain: []string{"leaf", "A by B", "B"}, trusts: "B", build: func(w *world) {
		w.issue("A", issue{from: -5, until: -1})
		w.issue("B", issue{})
		w.issue("A by B", issue{subject: "A", key: "A", by: "B"})
		w.issue("leaf", issue{by: "A", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"A", "A"}, cert{"A by B", "a"}, cert{"B", "B"})
	}},
	{name: "an issuer that is over is stored before its renewal", chain: []string{"leaf", "ca new", "root"}, trusts: "root", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca old", issue{subject: "ca", key: "ca", by: "root", from: -5, until: -1})
		w.issue("ca new", issue{subject: "ca", key: "ca", by: "root"})
		w.issue("leaf", issue{by: "ca old", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca old", "CA"}, cert{"ca new", "CA"}, cert{"root", "Root"})
	}},
	{name: "no issuer but one that is over", chain: []string{"leaf", "ca", "root"}, problems: problems{expired}, trusts: "root", refused: true, build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca", issue{by: "root", from: -5, until: -1})
		w.issue("leaf", issue{by: "ca", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "an issuer whose time has not come", chain: []string{"leaf", "ca", "root"}, problems: problems{notYet}, trusts: "root", refused: true, build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca", issue{by: "root", from: 1, until: 5})
		w.issue("leaf", issue{by: "ca", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "a renewed root", chain: []string{"leaf", "root new"}, trusts: "root new", build: func(w *world) {
		w.issue("root old", issue{subject: "root", key: "root", from: -9, until: 1})
		w.issue("root new", issue{subject: "root", key: "root", from: -2, until: 9})
		w.issue("leaf", issue{by: "root old", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"root old", "Root"}, cert{"root new", "Root"})
	}},
	{name: "an authority of that name with a new key", chain: []string{"leaf", "ca 1", "root"}, trusts: "root", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca 1", issue{subject: "ca", by: "root", from: -5, until: 5})
		w.issue("ca 2", issue{subject: "ca", by: "root"})
		w.issue("leaf", issue{by: "ca 1", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca 2", "CA"}, cert{"ca 1", "CA"}, cert{"root", "Root"})
	}},
	{name: "no authority of that name with this key", chain: []string{"leaf"}, problems: problems{stops}, says: "is of another key", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca 1", issue{subject: "ca", by: "root"})
		w.issue("ca 2", issue{subject: "ca", by: "root"})
		w.issue("leaf", issue{by: "ca 1", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca 2", "CA"}, cert{"root", "Root"})
	}},
	{name: "the key identifier tells which", chain: []string{"leaf", "ca 1", "root"}, trusts: "root", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca 1", issue{subject: "ca", key: "ca", by: "root", ownID: []byte{1}, from: -5, until: 5})
		w.issue("ca 2", issue{subject: "ca", key: "ca", by: "root", ownID: []byte{2}})
		w.issue("leaf", issue{by: "ca 1", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca 2", "CA"}, cert{"ca 1", "CA"}, cert{"root", "Root"})
	}},
	{name: "signed by one that is no authority", chain: []string{"leaf"}, problems: problems{stops}, says: "no authority's", build: func(w *world) {
		authorities(w)
		w.issue("someone", issue{by: "ca", end: true})
		w.issue("leaf", issue{by: "someone", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"someone", "s"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "too long", chain: []string{"leaf", "9", "8", "7", "6", "5", "4", "3", "2", "1"}, problems: problems{stops}, says: "more than 10", trusts: "0", build: func(w *world) {
		things := []any{key{"leaf", "web"}}
		w.issue("0", issue{})
		for i := 1; i < 10; i++ {
			w.issue(fmt.Sprint(i), issue{by: fmt.Sprint(i - 1)})
			things = append(things, cert{fmt.Sprint(i), "CA"})
		}
		w.issue("leaf", issue{by: "9", end: true})
		w.card(append(things, cert{"leaf", "web"}, cert{"0", "Root"})...)
	}},
	{name: "the authority is on another card", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"})
		w.card(cert{"root", "Root"}, cert{"ca", "CA"})
	}},
	{name: "the authority is on a YubiKey", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		w.yubiKey("ca", func(s *session.Session) {
			authorities(w)
			leaf(w)
			w.store(s, "ca")
		})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"root", "Root"})
		w.uri = "pkcs11:object=web"
	}},
	{name: "another card has what is over on this one", chain: []string{"leaf", "ca new", "root"}, trusts: "root", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca old", issue{subject: "ca", key: "ca", by: "root", from: -5, until: -1})
		w.issue("ca new", issue{subject: "ca", key: "ca", by: "root"})
		w.issue("leaf", issue{by: "ca old", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca old", "CA"}, cert{"root", "Root"})
		w.card(cert{"ca new", "CA"})
	}},

	// Signatures.
	{name: "signed with SHA-1", chain: []string{"leaf", "ca", "rsa root"}, problems: problems{weak, weak}, trusts: "rsa root", refused: true, build: func(w *world) {
		w.issue("rsa root", issue{how: x509.SHA1WithRSA})
		w.issue("ca", issue{by: "rsa root", how: x509.SHA1WithRSA})
		w.issue("leaf", issue{by: "ca", end: true, how: x509.ECDSAWithSHA1})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"rsa root", "Root"})
	}},
	{name: "signed with SHA-1 by another key of that name", chain: []string{"leaf"}, problems: problems{stops}, says: "is of another key", build: func(w *world) {
		w.issue("rsa ca 1", issue{subject: "ca"})
		w.issue("rsa ca 2", issue{subject: "ca"})
		w.issue("leaf", issue{by: "rsa ca 1", end: true, how: x509.SHA1WithRSA})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"rsa ca 2", "CA"})
	}},
	{name: "SHA-1 or not", chain: []string{"leaf", "ca new", "root"}, trusts: "root", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("ca old", issue{subject: "ca", key: "ca", by: "root", how: x509.ECDSAWithSHA1, from: -1, until: 9})
		w.issue("ca new", issue{subject: "ca", key: "ca", by: "root", from: -2, until: 9})
		w.issue("leaf", issue{by: "ca new", end: true})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca old", "CA"}, cert{"ca new", "CA"}, cert{"root", "Root"})
	}},
	{name: "signed with PSS", chain: []string{"leaf", "rsa ca", "rsa root"}, trusts: "rsa root", build: func(w *world) {
		w.issue("rsa root", issue{how: x509.SHA384WithRSAPSS})
		w.issue("rsa ca", issue{by: "rsa root", how: x509.SHA256WithRSAPSS})
		w.issue("leaf", issue{by: "rsa ca", end: true, how: x509.SHA512WithRSAPSS})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"rsa ca", "CA"}, cert{"rsa root", "Root"})
	}},
	{name: "signed with PSS by a key for PSS alone", chain: []string{"leaf", "rsa ca", "root"}, trusts: "root", refused: true, build: func(w *world) {
		w.issue("root", issue{})
		w.issue("rsa ca", issue{by: "root"})
		w.issue("leaf", issue{by: "rsa ca", end: true})
		spki := w.der(struct {
			Algorithm pkix.AlgorithmIdentifier
			Key       asn1.BitString
		}{pkix.AlgorithmIdentifier{Algorithm: oidRSAPSS}, bits(x509.MarshalPKCS1PublicKey(w.key("rsa ca").Public().(*rsa.PublicKey)))})
		ecdsaSHA256 := w.der(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}})
		w.alter("rsa ca", ecdsaSHA256, spki, func(tbs []byte) []byte {
			digest := sha256.Sum256(tbs)
			sig, err := w.key("root").Sign(rand.Reader, digest[:], crypto.SHA256)
			if err != nil {
				w.Fatal(err)
			}
			return sig
		})
		w.alter("leaf", w.pss(20), nil, w.pssSigner("rsa ca", 20))
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"rsa ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "signed with PSS and parameters that Go does not know, by another key", chain: []string{"leaf"}, problems: problems{stops}, says: "is of another key", build: func(w *world) {
		w.issue("rsa ca", issue{})
		w.issue("leaf", issue{by: "rsa ca", end: true})
		w.alter("leaf", w.pss(20), nil, w.pssSigner("rsa other", 20))
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"rsa ca", "CA"})
	}},
	{name: "signed in a way that nobody knows", chain: []string{"leaf", "ca", "root"}, problems: problems{unchecked}, says: "not checked", trusts: "root", refused: true, build: func(w *world) {
		authorities(w)
		leaf(w)
		w.alter("leaf", w.der(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 3, 4}}), nil, func([]byte) []byte { return []byte("signature") })
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "signed in a way that nobody knows, by another key as the identifiers tell", chain: []string{"leaf"}, problems: problems{stops}, says: "is of another key", build: func(w *world) {
		authorities(w)
		w.issue("leaf", issue{by: "ca", end: true, authorityID: []byte{9, 9}})
		w.alter("leaf", w.der(pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 3, 4}}), nil, func([]byte) []byte { return []byte("signature") })
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},

	// Attestations.
	{name: "a YubiKey's key with its own certificate", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		w.yubiKey("leaf", func(s *session.Session) {
			authorities(w)
			leaf(w)
			w.store(s, "leaf")
		})
		w.card(cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri = "pkcs11:id=%01;type=private"
	}},
	{name: "all of a YubiKey with one certificate", code: ckr.ArgumentsBad, trusts: "root", build: func(w *world) { // that of its attestation key is another
		w.yubiKey("leaf", func(s *session.Session) {
			authorities(w)
			leaf(w)
			w.store(s, "leaf")
		})
		w.card(cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri = "pkcs11:manufacturer=" + ";model=PIV%205.7.1"
	}},
	{name: "a YubiKey's key without a certificate", code: ckr.ObjectHandleInvalid, says: "no certificate", build: func(w *world) {
		w.yubiKey("leaf", func(*session.Session) {})
		w.uri = "pkcs11:id=%01;type=private"
	}},
	{name: "an attestation by its id", chain: []string{"attestation", "attests"}, problems: problems{stops}, tls: ckr.ObjectHandleInvalid, build: func(w *world) {
		w.yubiKey("leaf", func(s *session.Session) {
			w.put("attestation", w.value(s, []byte{0xF9, 1}))
			w.put("attests", w.value(s, []byte{0x19}))
		})
		w.uri = "pkcs11:id=%f9%01"
	}},
	{name: "an attestation by its label", chain: []string{"attestation", "attests"}, problems: problems{stops}, tls: ckr.ObjectHandleInvalid, build: func(w *world) {
		w.yubiKey("leaf", func(s *session.Session) {
			w.put("attestation", w.value(s, []byte{0xF9, 1}))
			w.put("attests", w.value(s, []byte{0x19}))
		})
		w.uri = "pkcs11:object=Attestation%20of%20PIV%20Authentication"
	}},
	{name: "an attestation that was stored on a card beside the certificate", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.issue("attestation", issue{by: "root", end: true, key: "leaf", from: -1, until: 9, extensions: attested(3, 7, 8, 9)})
		w.card(key{"leaf", "web"}, cert{"attestation", "attestation"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
		w.uri = "pkcs11:object=web;type=private"
	}},
	{name: "an attestation is all there is of the key", code: ckr.ObjectHandleInvalid, says: "but the attestation", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("attestation", issue{by: "root", end: true, key: "leaf", extensions: attested(3, 7, 8)})
		w.card(key{"leaf", "web"}, cert{"attestation", "web"}, cert{"root", "Root"})
		w.uri = "pkcs11:object=web;type=private"
	}},
	{name: "an authority has copied the serial number of the YubiKey", chain: []string{"leaf", "root"}, trusts: "root", build: func(w *world) {
		w.issue("root", issue{})
		w.issue("leaf", issue{by: "root", end: true, extensions: attested(7)})
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, cert{"root", "Root"})
		w.uri = "pkcs11:object=web;type=private"
	}},

	// What cannot be read.
	{name: "a certificate that is none beside a good one", chain: []string{"leaf", "ca", "root"}, trusts: "root", build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, blob{"web"}, cert{"leaf", "web"}, cert{"ca", "CA"}, cert{"root", "Root"})
	}},
	{name: "no certificate but one that is none", code: ckr.DeviceError, build: func(w *world) {
		w.card(key{"leaf", "web"}, blob{"web"})
	}},
	{name: "an issuer that may be what cannot be read", chain: []string{"leaf"}, problems: problems{stops}, says: "not read: ", trusts: "root", refused: true, build: func(w *world) {
		authorities(w)
		leaf(w)
		w.card(key{"leaf", "web"}, cert{"leaf", "web"}, blob{"CA"})
	}},
	{name: "nothing of that name", code: ckr.KeyHandleInvalid, build: func(w *world) {
		w.card(key{"leaf", "other"})
	}},
}

func bits(b []byte) asn1.BitString { return asn1.BitString{Bytes: b, BitLength: 8 * len(b)} }

// value reads the certificate with an id.
func (w *world) value(s *session.Session, id []byte) []byte {
	w.Helper()
	for o, err := range s.Find(context.Background(), object.AttrClass.Is(object.ClassCertificate), object.AttrID.Is(id)) {
		if err != nil {
			w.Fatal(err)
		}
		v, err := object.Get(context.Background(), o, object.AttrValue)
		if err != nil {
			w.Fatal(err)
		}
		return v
	}
	w.Fatalf("no certificate has the id %x", id)
	return nil
}

func TestCertificatesThatSomeoneWhoKnowsTLSWouldChoose(t *testing.T) {
	for _, c := range constellations {
		t.Run(c.name, func(t *testing.T) {
			w := &world{T: t, keys: make(map[string]crypto.Signer), certs: make(map[string]*x509.Certificate), uri: "pkcs11:object=web"}
			c.build(w)
			pins := func(_ context.Context, r token.PINRequest) (token.PIN, error) {
				if strings.HasPrefix(r.Token.Model, "PIV") {
					return token.NewPIN([]byte(virtual.DefaultPIVPIN)), nil
				}
				return token.NewPIN([]byte(testPIN)), nil
			}
			m := openModule(t, virtual.NewProvider(w.cards...), cryptoki.WithPIN(pins))
			c.checkChain(w, m)
			c.checkTLS(w, m)
		})
	}
	if len(constellations) < 30 {
		t.Errorf("%d constellations", len(constellations))
	}
}

// A certificate that was renewed ahead of its time is in use from then on, by
// the same URI.
func TestRenewedCertificateIsUsedWhenItsTimeComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, keys: make(map[string]crypto.Signer), certs: make(map[string]*x509.Certificate)}
		authorities(w)
		w.issue("old", issue{by: "ca", end: true, key: "leaf", from: -1, until: 3})
		w.issue("new", issue{by: "ca", end: true, key: "leaf", from: 2, until: 9})
		w.card(key{"leaf", "web"}, cert{"old", "web"}, cert{"new", "web"}, cert{"ca", "CA"})
		m := openModule(t, virtual.NewProvider(w.cards...), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
		for hour, want := range []string{"old", "old", "new", "new", "new"} {
			c, err := m.TLSCertificate(t.Context(), "pkcs11:object=web")
			if err != nil || w.nameOf(c.Leaf) != want {
				t.Errorf("after %d hours: %v, %v", hour, w.nameOf(c.Leaf), err)
			}
			time.Sleep(time.Hour)
		}
		m.Close()
	})
}

// Attestations are made by the card, which takes long. Nobody has them made who
// does not ask for one.
func TestAttestationsAreNotMadeInVain(t *testing.T) {
	w := &world{T: t, keys: make(map[string]crypto.Signer), certs: make(map[string]*x509.Certificate)}
	w.yubiKey("leaf", func(s *session.Session) {
		authorities(w)
		leaf(w)
		w.store(s, "leaf")
		makePIVKey(w, s, 2, object.AttrECParams.Is(oidP256))
	})
	const instruction = 0xF9
	var made int
	w.cards[0].Card.SetFaults(func(_ int, command []byte) virtual.Fault {
		if command[1] == instruction {
			made++
		}
		return virtual.Fault{}
	})
	m := openModule(t, virtual.NewProvider(w.cards...), cryptoki.WithPIN(token.StaticPIN([]byte(virtual.DefaultPIVPIN))))
	for _, uri := range []string{"pkcs11:id=%01;type=private", "pkcs11:id=%01", "pkcs11:"} {
		if c, err := m.TLSCertificate(t.Context(), uri); err != nil || !c.Leaf.Equal(w.certs["leaf"]) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	if made > 0 {
		t.Errorf("%d attestations were made", made)
	}
	if _, err := m.Certificate(t.Context(), "pkcs11:id=%f9%01"); err != nil || made == 0 {
		t.Errorf("named: %v, %d made", err, made)
	}
}

// checkChain checks what Certificate, Chain and CertificateChain find.
func (c *constellation) checkChain(w *world, m *cryptoki.Module) {
	w.Helper()
	cert, err := m.Certificate(w.Context(), w.uri, w.opts...)
	if ckr.Of(err) != c.code {
		w.Fatalf("Certificate: %v", err)
	}
	chain, err2 := m.Chain(w.Context(), w.uri, w.opts...)
	strict, err3 := m.CertificateChain(w.Context(), w.uri, w.opts...)
	if c.code != ckr.OK {
		if !strings.Contains(err.Error(), c.says) {
			w.Errorf("Certificate: %v", err)
		}
		if ckr.Of(err2) != c.code || ckr.Of(err3) != c.code || chain != nil || strict != nil {
			w.Errorf("Chain: %v, CertificateChain: %v", err2, err3)
		}
		return
	}
	if err2 != nil {
		w.Fatalf("Chain: %v", err2)
	}
	if names := w.names(chain.Certificates); !cmp.Equal(names, c.chain) {
		w.Errorf("the chain is %q, not %q: %v", names, c.chain, chain.Problems)
	}
	if w.nameOf(cert) != c.chain[0] || !cmp.Equal(w.names(strict), c.chain) {
		w.Errorf("Certificate is %q, CertificateChain %q", w.nameOf(cert), w.names(strict))
	}
	var kinds problems
	for _, p := range chain.Problems {
		kinds = append(kinds, p.Kind)
	}
	if !cmp.Equal(kinds, c.problems) {
		w.Errorf("problems: %v", chain.Problems)
	}
	if len(kinds) > 0 && !strings.Contains(chain.Problems[0].String(), c.says) {
		w.Errorf("it is said that %v", chain.Problems[0])
	}
	var failed *cryptoki.ChainError
	if isError := slices.Contains(kinds, stops) || slices.Contains(kinds, unchecked); isError != errors.As(err3, &failed) || !isError && err3 != nil {
		w.Errorf("CertificateChain: %v", err3)
	} else if isError && (ckr.Of(err3) != ckr.ObjectHandleInvalid || !strings.Contains(err3.Error(), c.says) || !cmp.Equal(w.names(failed.Chain.Certificates), c.chain)) {
		w.Errorf("CertificateChain: %v", err3)
	}
}

func (w *world) names(list []*x509.Certificate) (names []string) {
	for _, c := range list {
		names = append(names, w.nameOf(c))
	}
	return names
}

// checkTLS has a server start with what TLSCertificate returns, and a client
// that trusts one authority, or not.
func (c *constellation) checkTLS(w *world, m *cryptoki.Module) {
	w.Helper()
	got, err := m.TLSCertificate(w.Context(), w.uri, w.opts...)
	want := c.tls
	if want == ckr.OK && c.trusts == "" && c.code != ckr.OK {
		want = c.code
	}
	if ckr.Of(err) != want {
		w.Fatalf("TLSCertificate: %v", err)
	}
	if err != nil {
		return
	}
	var intermediates []*x509.Certificate
	for _, der := range got.Certificate {
		x, err := x509.ParseCertificate(der)
		if err != nil {
			w.Fatal(err)
		}
		intermediates = append(intermediates, x)
	}
	if names := w.names(intermediates); c.code == ckr.OK && !cmp.Equal(names, c.chain) || !got.Leaf.Equal(intermediates[0]) {
		w.Errorf("TLSCertificate has %q", names)
	}
	if c.trusts == "" {
		return
	}
	roots, others := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(w.certs[c.trusts])
	for _, x := range intermediates[1:] {
		others.AddCert(x)
	}
	_, err = got.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, DNSName: "web"})
	if (err != nil) != c.refused {
		w.Errorf("crypto/x509 says: %v", err)
	}
	err = shakeHands(w.T, &tls.Config{Certificates: []tls.Certificate{got}}, &tls.Config{RootCAs: roots, ServerName: "web"})
	if (err != nil) != c.refused {
		w.Errorf("a client says: %v", err)
	}
}

// shakeHands returns what the client has to say.
func shakeHands(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer l.Close()
	wg.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.(*tls.Conn).Handshake()
		c.Close()
	})
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		c.Close()
	}
	return err
}
