// Ca is a certification authority whose key is on a card: it issues a
// certificate for a request, revokes it, and checks both with crypto/x509.
//
//	go run ./examples/ca                        # a virtual card
//	go run ./examples/ca 'pkcs11:object=ca'     # a card in a reader
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"os"
	"time"

	"github.com/go-cryptoki/cryptoki/examples/internal/demo"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// authority is a certificate and its key.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	m, uri, err := demo.Open(ctx, args, demo.CA)
	if err != nil {
		return err
	}
	defer m.Close()
	c, err := m.TLSCertificate(ctx, uri) // the certificate and its key, for TLS or not
	if err != nil {
		return err
	}
	ca := authority{c.Leaf, c.PrivateKey.(crypto.Signer)}

	request, err := newRequest("somebody")
	if err != nil {
		return err
	}
	cert, err := ca.issue(request)
	if err != nil {
		return err
	}
	if err := cert.CheckSignatureFrom(ca.cert); err != nil {
		return err
	}
	fmt.Fprintf(out, "%v issued a certificate to %v, serial number %v\n", ca.cert.Subject, cert.Subject, cert.SerialNumber)

	list, err := ca.revoke(cert)
	if err != nil {
		return err
	}
	if err := list.CheckSignatureFrom(ca.cert); err != nil {
		return err
	}
	fmt.Fprintf(out, "and revoked it: the list of %v has %d entry\n", list.Issuer, len(list.RevokedCertificateEntries))
	return nil
}

// newRequest is what somebody sends who wants a certificate.
func newRequest(name string) (*x509.CertificateRequest, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificateRequest(der)
}

func (a authority) issue(r *x509.CertificateRequest) (*x509.Certificate, error) {
	if err := r.CheckSignature(); err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: r.Subject,
		NotBefore: time.Now(), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, r.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (a authority) revoke(certs ...*x509.Certificate) (*x509.RevocationList, error) {
	template := &x509.RevocationList{Number: big.NewInt(time.Now().Unix()), ThisUpdate: time.Now(), NextUpdate: time.Now().AddDate(0, 0, 7)}
	for _, c := range certs {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.cert, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseRevocationList(der)
}
