package cryptoki

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
)

// CertificateOption says more of which certificate is meant than the URI does.
type CertificateOption func(*selection)

// selection is what options say of a certificate.
type selection struct {
	uri  string // names it, or is empty
	fits []func(*x509.Certificate) bool
}

// WithCertificateURI names the certificate by a URI of its own, so that the
// other one names the key, as that of Key does. The certificate is one of this
// key, and may be on another token.
func WithCertificateURI(uri string) CertificateOption {
	return func(s *selection) { s.uri = uri }
}

// WithCertificate leaves the certificates out of which fits is false, for
// instance all but one with a serial number:
//
//	cryptoki.WithCertificate(func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(serial) == 0 })
func WithCertificate(fits func(*x509.Certificate) bool) CertificateOption {
	return func(s *selection) { s.fits = append(s.fits, fits) }
}

// Certificate returns the certificate that a URI names; a URI of type private
// or public names the one that belongs to the key. Of several certificates of
// one key it is the one that is in use: those that are valid now come first,
// then those that became valid later. So a certificate that was renewed, and
// stored beside the old one, follows the same URI as soon as its time begins.
// Options name another.
//
// Attestations of a YubiKey, which it makes for keys that it has generated, are
// found only by a URI that says their CKA_ID or CKA_LABEL, and are no key's
// certificate.
//
// It needs no login, unless a key is named that is seen by the user only.
// Errors: as of Key, where it is certificates of several keys that are
// ambiguous; ckr.DeviceError if what the card holds is no certificate,
// ckr.ObjectHandleInvalid if a key has none.
func (m *Module) Certificate(ctx context.Context, uri string, opts ...CertificateOption) (*x509.Certificate, error) {
	const op = "certificate"
	q, err := m.search(uri)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	c, err := q.certificate(ctx, opts)
	return c.cert, codes.Wrap(op, err)
}

// CertificateChain returns the certificate that a URI names, as Certificate
// does, and those above it, up to one that is signed with its own key. If the
// chain cannot be followed that far, or one of its signatures could not be
// checked, the error tells where and why; what was found comes with it. Who
// takes the chain as it is, such as a server that does not send the root, asks
// for a Chain. Errors: as of Certificate, and ckr.ObjectHandleInvalid with a
// *ChainError.
func (m *Module) CertificateChain(ctx context.Context, uri string, opts ...CertificateOption) ([]*x509.Certificate, error) {
	c, err := m.chain(ctx, uri, opts)
	if err == nil {
		err = c.Err()
	}
	if c == nil {
		c = &Chain{}
	}
	return c.Certificates, codes.Wrap("certificate chain", err)
}

// Chain returns the best chain of the certificate that a URI names, as
// Certificate does, and what is wrong with it. Issuers are looked for on the
// certificate's own token, and if something is wrong with what is there, on all
// tokens: what they show without a PIN. The time is now. Errors: as of
// Certificate.
func (m *Module) Chain(ctx context.Context, uri string, opts ...CertificateOption) (*Chain, error) {
	c, err := m.chain(ctx, uri, opts)
	return c, codes.Wrap("certificate chain", err)
}

func (m *Module) chain(ctx context.Context, uri string, opts []CertificateOption) (*Chain, error) {
	q, err := m.search(uri)
	if err != nil {
		return nil, err
	}
	c, err := q.certificate(ctx, opts)
	if err != nil {
		return nil, err
	}
	return q.chain(ctx, c)
}

// TLSCertificate returns what crypto/tls needs of the certificate that a URI
// names, as Certificate does: its chain, as Chain has it, and its private key,
// which stays on the card. What is wrong with the chain is no error here: a peer
// that has the rest of it takes it. Certificates without a private key on the
// token are left out where the URI fits others as well. The certificate is the
// one that is in use now: who serves for long asks again, for instance once a
// day, and a server does so in tls.Config.GetCertificate. Errors: as of
// Certificate and Key; ckr.KeyHandleInvalid if there is no private key.
func (m *Module) TLSCertificate(ctx context.Context, uri string, opts ...CertificateOption) (tls.Certificate, error) {
	const op = "TLS certificate"
	q, err := m.search(uri)
	if err != nil {
		return tls.Certificate{}, codes.Wrap(op, err)
	}
	c, err := q.tls(ctx, opts)
	return c, codes.Wrap(op, err)
}

func (q *search) tls(ctx context.Context, opts []CertificateOption) (c tls.Certificate, err error) {
	found, err := q.choices(ctx, opts)
	if err != nil {
		return c, err
	}
	if err := found.withKeys(ctx, q); err != nil {
		return c, err
	}
	chosen, err := found.choose(q)
	if err != nil {
		return c, err
	}
	key, err := q.key(ctx, *chosen.key)
	if err != nil {
		return c, err
	}
	chain, err := q.chain(ctx, chosen)
	if err != nil {
		return c, err
	}
	for _, cert := range chain.Certificates {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	c.PrivateKey, c.Leaf = key, chosen.cert
	return c, nil
}

// certificate finds the one certificate that the URI and the options name.
func (q *search) certificate(ctx context.Context, opts []CertificateOption) (choice, error) {
	list, err := q.choices(ctx, opts)
	if err != nil {
		return choice{}, err
	}
	return list.choose(q)
}

// choice is a certificate that may be meant.
type choice struct {
	found
	cert *x509.Certificate
	key  *found // its private key, if that was looked for
}

// choices are the certificates that may be meant, and why there are not
// more.
type choices struct {
	list     []choice
	of       *found // the key that they are of, if one was named
	named    string // the URI of an option that names them
	damaged  error  // of one that could not be read
	attested bool   // some that fit are attestations
	others   int    // how many the options leave out
}

// choices finds the certificates that the URI and the options name,
// themselves or by their key.
func (q *search) choices(ctx context.Context, opts []CertificateOption) (c choices, err error) {
	var s selection
	for _, o := range opts {
		o(&s)
	}
	var list []found
	switch named := q.u.HasID || q.u.Object != nil; {
	case s.uri != "":
		other, err := q.ring.newSearch(s.uri)
		if err != nil {
			return c, err
		}
		c.named = other.u.Redacted()
		if c.of, err = q.theKey(ctx); err != nil {
			return c, err
		}
		if list, err = other.all(ctx, object.ClassCertificate); err == nil && len(list) == 0 {
			_, err = other.only(nil)
		}
		if err != nil {
			return c, err
		}
		err = c.add(ctx, q, list, s, false)
		return c, err
	case q.u.Type == nil || *q.u.Type == "cert":
		if list, err = q.all(ctx, object.ClassCertificate); err != nil {
			return c, err
		}
		err = c.add(ctx, q, list, s, named)
		return c, err
	}
	if c.of, err = q.theKey(ctx); err != nil {
		return c, err
	}
	if list, err = q.on(ctx, c.of.m, false, object.AttrClass.Is(object.ClassCertificate)); err != nil {
		return c, err
	}
	err = c.add(ctx, q, list, s, false)
	return c, err
}

// publicOf is public of a handle that may have become void.
func (q *search) publicOf(ctx context.Context, f found) (pub crypto.PublicKey, err error) {
	for range maxSearches {
		if f, err = q.alive(ctx, f); err != nil {
			return nil, err
		}
		if pub, err = f.public(ctx); !isDisturbed(ctx, err) {
			return pub, err
		}
	}
	return nil, resetAgain(err)
}

// theKey finds the one key that the URI names: the public half suffices.
func (q *search) theKey(ctx context.Context) (*found, error) {
	var list []found
	var err error
	switch {
	case q.u.Type == nil || *q.u.Type == "private":
		list, err = q.all(ctx, object.ClassPrivateKey)
	case *q.u.Type == "public":
		list, err = q.all(ctx, object.ClassPublicKey)
	case *q.u.Type == "cert":
		list, err = q.keys(ctx)
	default:
		return nil, ckr.Newf(ckr.ArgumentsBad, "", "a %s has no certificate", *q.u.Type)
	}
	if err != nil {
		return nil, err
	}
	f, err := q.only(list)
	return &f, err
}

// add reads certificates and takes up those that may be meant. Only where they
// are named attestations are.
func (c *choices) add(ctx context.Context, q *search, list []found, s selection, named bool) error {
	var mine crypto.PublicKey
	if c.of != nil {
		var err error
		if mine, err = q.publicOf(ctx, *c.of); err != nil {
			return err
		}
	}
	for _, f := range list {
		cert, err := f.certificate(ctx)
		switch {
		case ctx.Err() != nil:
			return ckr.New(ckr.FunctionCanceled, "", ctx.Err())
		case isLost(err): // it may be the one that is meant
			return err
		case err != nil && (c.of == nil || string(f.ckaID) == string(c.of.ckaID)):
			c.damaged = errors.Join(c.damaged, err)
			continue
		case err != nil:
			continue
		case c.of != nil && mine != nil && !sameKey(mine, cert.PublicKey):
			continue
		case c.of != nil && mine == nil && (len(f.ckaID) == 0 || string(f.ckaID) != string(c.of.ckaID)):
			continue
		case !named && isAttestation(cert):
			c.attested = true
			continue
		case slices.ContainsFunc(s.fits, func(fits func(*x509.Certificate) bool) bool { return !fits(cert) }):
			c.others++
			continue
		}
		c.list = append(c.list, choice{found: f, cert: cert})
	}
	return nil
}

// isLost reports whether an error is of the card or the way to it, and says
// nothing of the object that was to be read.
func isLost(err error) bool {
	lost := []error{apdu.ErrRemoved, apdu.ErrReset, apdu.ErrNoCard, apdu.ErrNoReader, apdu.ErrNoService, apdu.ErrInUse, apdu.ErrLink, apdu.ErrUnsure}
	return slices.ContainsFunc(lost, func(e error) bool { return errors.Is(err, e) })
}

// withKeys finds the private keys of the choices. Attestations, and where
// there are several choices those without a private key, are left out.
func (c *choices) withKeys(ctx context.Context, q *search) error {
	c.list = slices.DeleteFunc(c.list, func(x choice) bool {
		attestation := isAttestation(x.cert)
		c.attested = c.attested || attestation
		return attestation
	})
	elsewhere := func(x choice) bool { return x.m != c.list[0].m }
	if c.of == nil && slices.ContainsFunc(c.list, elsewhere) {
		return nil // it is ambiguous already, and nobody is asked for several PINs
	}
	var keyless error
	var list []choice
	for _, x := range c.list {
		owner := x.found
		if c.of != nil {
			owner = *c.of // the certificate may be on another token
		}
		i := slices.IndexFunc(list, x.sameKeyAs)
		switch {
		case i >= 0:
			x.key = list[i].key
		case c.of != nil && c.of.o.Class() == object.ClassPrivateKey:
			x.key = c.of
		default:
			key, ok, err := q.partner(ctx, owner, object.ClassPrivateKey)
			if err != nil {
				return err
			}
			if ok = ok && !key.idle(ctx); !ok {
				keyless = errors.Join(keyless, ckr.Newf(ckr.KeyHandleInvalid, "", "no private key on %v belongs to %s", owner.m.id, owner.uri))
				continue
			}
			x.key = &key
		}
		list = append(list, x)
	}
	if len(list) == 0 && len(c.list) > 0 {
		return keyless
	}
	c.list = list
	return nil
}

// sameKeyAs reports whether two certificates are of one key, on one token.
func (x choice) sameKeyAs(y choice) bool {
	if x.m != y.m {
		return false
	}
	return sameKey(x.cert.PublicKey, y.cert.PublicKey) || string(x.cert.RawSubjectPublicKeyInfo) == string(y.cert.RawSubjectPublicKeyInfo)
}

// choose returns the certificate that is meant: the one in use of those of one
// key. If there is none, the error says what was left out.
func (c *choices) choose(q *search) (choice, error) {
	if len(c.list) == 0 {
		return choice{}, c.none(q)
	}
	if c.of == nil {
		var several []found // one of each key
		for i, x := range c.list {
			if !slices.ContainsFunc(c.list[:i], x.sameKeyAs) {
				several = append(several, x.found)
			}
		}
		if _, err := q.only(several); err != nil {
			return choice{}, err
		}
	}
	now := time.Now()
	return slices.MinFunc(c.list, func(x, y choice) int { return preferred(now, x.cert, y.cert) }), nil
}

// none says why there is no choice.
func (c *choices) none(q *search) error {
	about := q.u.Redacted()
	if c.of != nil {
		about = c.of.uri
	}
	switch {
	case c.damaged != nil:
		return c.damaged
	case c.others > 0:
		return ckr.Newf(ckr.ObjectHandleInvalid, "", "%d certificates fit %s, and none of them the options", c.others, about)
	case c.attested:
		return ckr.Newf(ckr.ObjectHandleInvalid, "", "%s has no certificate but the attestation that its card makes for it, which nobody else takes; "+
			"store one that an authority has issued", about)
	case c.named != "":
		return ckr.Newf(ckr.ObjectHandleInvalid, "", "no certificate that %s names belongs to %s", c.named, about)
	case c.of != nil:
		return ckr.Newf(ckr.ObjectHandleInvalid, "", "no certificate on %v belongs to %s", c.of.m.id, about)
	}
	_, err := q.only(nil)
	return err
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

// Extensions that tell an attestation of a YubiKey: the version of the card that
// made it, and the policies of the key that it is for, under Yubico's arc.
var (
	oidAttestedVersion  = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 3}
	oidAttestedPolicies = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3, 8}
)

// isAttestation reports whether a certificate is an attestation of a YubiKey,
// wherever it is stored. An authority that copies the card's serial number into
// its certificates does not make attestations of them.
func isAttestation(c *x509.Certificate) bool {
	var version, policies bool
	for _, e := range c.Extensions {
		version = version || e.Id.Equal(oidAttestedVersion)
		policies = policies || e.Id.Equal(oidAttestedPolicies)
	}
	return version && policies
}

// chain returns the best chain of a certificate. Other tokens are looked at only
// if its own has not all that could be wished.
func (q *search) chain(ctx context.Context, c choice) (*Chain, error) {
	p := pool{}
	if err := p.add(ctx, q, c.m); err != nil {
		return nil, err
	}
	now := time.Now()
	chain := buildChain(c.cert, p.certs, now)
	if !chain.isSound() {
		if err := p.addOthers(ctx, q, c.m); err != nil {
			return nil, err
		}
		chain = buildChain(c.cert, p.certs, now)
	}
	for i, problem := range chain.Problems {
		for _, err := range p.unread {
			if problem.Kind == ChainStops {
				chain.Problems[i].Detail += fmt.Sprintf("; not read: %v", err)
			}
		}
	}
	return chain, nil
}

// pool is the certificates that issuers are looked for among, and what could not
// be read of them.
type pool struct {
	certs  []*x509.Certificate
	unread []error
}

// add reads the certificates of a token. Errors: those of the caller's context.
func (p *pool) add(ctx context.Context, q *search, m *member) error {
	list, err := q.on(ctx, m, false, object.AttrClass.Is(object.ClassCertificate))
	if err != nil {
		p.unread = append(p.unread, fmt.Errorf("%s: %w", m.describe(), err))
	}
	for _, f := range list {
		cert, err := f.certificate(ctx)
		switch {
		case err != nil:
			p.unread = append(p.unread, fmt.Errorf("%s: %w", f.uri, err))
		case !isAttestation(cert):
			p.certs = append(p.certs, cert)
		}
	}
	if ctx.Err() != nil {
		return ckr.New(ckr.FunctionCanceled, "", ctx.Err())
	}
	return nil
}

// addOthers reads the certificates of all tokens but one.
func (p *pool) addOthers(ctx context.Context, q *search, but *member) error {
	all, err := q.ring.newSearch("pkcs11:")
	if err != nil {
		return err
	}
	members, err := all.members(ctx)
	switch {
	case ctx.Err() != nil:
		return ckr.New(ckr.FunctionCanceled, "", ctx.Err())
	case err != nil:
		p.unread = append(p.unread, err)
	}
	for _, m := range members {
		if m == but {
			continue
		}
		if err := p.add(ctx, all, m); err != nil {
			return err
		}
	}
	return nil
}
