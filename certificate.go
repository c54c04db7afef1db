package cryptoki

import (
	"context"
	"crypto/tls"
	"crypto/x509"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
)

// Certificate returns the certificate that a URI names. It needs no login.
// Errors: as of Key; ckr.DeviceError if what the card holds is none.
func (m *Module) Certificate(ctx context.Context, uri string) (*x509.Certificate, error) {
	const op = "certificate"
	q, err := m.search(uri)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	f, err := q.certificate(ctx)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	cert, err := f.certificate(ctx)
	return cert, codes.Wrap(op, err)
}

// CertificateChain returns the certificate that a URI names and those above it
// that the same token holds, up to a root if it is there.
func (m *Module) CertificateChain(ctx context.Context, uri string) ([]*x509.Certificate, error) {
	const op = "certificate chain"
	q, err := m.search(uri)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	f, err := q.certificate(ctx)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	chain, err := q.chain(ctx, f)
	return chain, codes.Wrap(op, err)
}

// TLSCertificate returns what crypto/tls needs of the certificate that a URI
// names: the certificate, those above it on the same token, and its private
// key, which stays on the card. A URI of type private names the certificate
// that belongs to the key.
func (m *Module) TLSCertificate(ctx context.Context, uri string) (tls.Certificate, error) {
	const op = "TLS certificate"
	q, err := m.search(uri)
	if err != nil {
		return tls.Certificate{}, codes.Wrap(op, err)
	}
	c, err := q.tls(ctx)
	return c, codes.Wrap(op, err)
}

func (q *search) tls(ctx context.Context) (c tls.Certificate, err error) {
	f, err := q.certificate(ctx)
	if err != nil {
		return c, err
	}
	chain, err := q.chain(ctx, f)
	if err != nil {
		return c, err
	}
	priv, ok, err := q.partner(ctx, f, object.ClassPrivateKey)
	switch {
	case err != nil:
		return c, err
	case !ok:
		return c, ckr.Newf(ckr.KeyHandleInvalid, "", "no private key on %v belongs to %s", f.m.id, f.uri)
	}
	key, err := q.key(ctx, priv)
	if err != nil {
		return c, err
	}
	for _, cert := range chain {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	c.PrivateKey, c.Leaf = key, chain[0]
	return c, nil
}

// certificate finds the one certificate that the URI names, itself or by the
// key that it belongs to.
func (q *search) certificate(ctx context.Context) (found, error) {
	if q.u.Type == nil || *q.u.Type == "cert" {
		list, err := q.all(ctx, object.ClassCertificate)
		if err != nil {
			return found{}, err
		}
		return q.only(list)
	}
	list, err := q.keysOrPublic(ctx)
	if err != nil {
		return found{}, err
	}
	f, err := q.only(list)
	if err != nil {
		return found{}, err
	}
	cert, ok, err := q.partner(ctx, f, object.ClassCertificate)
	if err == nil && !ok {
		err = ckr.Newf(ckr.ObjectHandleInvalid, "", "no certificate on %v belongs to %s", f.m.id, f.uri)
	}
	return cert, err
}

func (q *search) keysOrPublic(ctx context.Context) ([]found, error) {
	switch *q.u.Type {
	case "private":
		return q.all(ctx, object.ClassPrivateKey)
	case "public":
		return q.all(ctx, object.ClassPublicKey)
	}
	return nil, ckr.Newf(ckr.ArgumentsBad, "", "a %s has no certificate", *q.u.Type)
}

func (f found) certificate(ctx context.Context) (*x509.Certificate, error) {
	var der []byte
	var err error
	for range maxSearches {
		if der, err = object.Get(ctx, f.o, object.AttrValue); !isDisturbed(ctx, err) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ckr.New(ckr.DeviceError, f.uri, err)
	}
	return cert, nil
}

// maxChain bounds the length of a chain.
const maxChain = 10

// chain returns a certificate and its issuers on the same token.
func (q *search) chain(ctx context.Context, f found) ([]*x509.Certificate, error) {
	leaf, err := f.certificate(ctx)
	if err != nil {
		return nil, err
	}
	list, err := q.on(ctx, f.m, false, object.AttrClass.Is(object.ClassCertificate))
	if err != nil {
		return nil, err
	}
	var others []*x509.Certificate
	for _, o := range list {
		if cert, err := o.certificate(ctx); err == nil {
			others = append(others, cert)
		}
	}
	chain := []*x509.Certificate{leaf}
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		next := issuerOf(last, others)
		if next == nil || next.Equal(last) {
			break
		}
		chain = append(chain, next)
	}
	return chain, nil
}

func issuerOf(c *x509.Certificate, others []*x509.Certificate) *x509.Certificate {
	for _, o := range others {
		if string(o.RawSubject) == string(c.RawIssuer) && c.CheckSignatureFrom(o) == nil {
			return o
		}
	}
	return nil
}
