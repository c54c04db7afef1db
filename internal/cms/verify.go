package cms

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/fips140"
	"crypto/rsa"
	_ "crypto/sha1" // what old cards are signed with
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// Errors of Verify.
var (
	// ErrContent says that the content is not the one that was signed.
	ErrContent = errors.New("the content is not the one that was signed")
	// ErrSignature says that the signature is not one of the signer's key.
	ErrSignature = errors.New("the signature is not the signer's")
	// ErrAlgorithm says that the signature cannot be checked here.
	ErrAlgorithm = errors.New("the algorithm is not known")
)

// hashes by their identifiers.
var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.4": crypto.SHA224,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// method is a way to sign: with RSA or on a curve, and the hash that the
// identifier fixes, if any.
type method struct {
	scheme scheme
	hash   crypto.Hash
}

type scheme int

const (
	pkcs1 scheme = iota
	pss
	curve
)

// methods by their identifiers: RFC 3370, RFC 4056, RFC 5754.
var methods = map[string]method{
	"1.2.840.113549.1.1.1":  {pkcs1, 0},
	"1.2.840.113549.1.1.5":  {pkcs1, crypto.SHA1},
	"1.2.840.113549.1.1.14": {pkcs1, crypto.SHA224},
	"1.2.840.113549.1.1.11": {pkcs1, crypto.SHA256},
	"1.2.840.113549.1.1.12": {pkcs1, crypto.SHA384},
	"1.2.840.113549.1.1.13": {pkcs1, crypto.SHA512},
	"1.2.840.113549.1.1.10": {pss, 0},
	"1.2.840.10045.2.1":     {curve, 0},
	"1.2.840.10045.4.1":     {curve, crypto.SHA1},
	"1.2.840.10045.4.3.1":   {curve, crypto.SHA224},
	"1.2.840.10045.4.3.2":   {curve, crypto.SHA256},
	"1.2.840.10045.4.3.3":   {curve, crypto.SHA384},
	"1.2.840.10045.4.3.4":   {curve, crypto.SHA512},
}

// HashOf is the hash of an identifier; 0 if it is not known, or if the program
// may not use it.
func HashOf(a pkix.AlgorithmIdentifier) crypto.Hash {
	if h := hashes[a.Algorithm.String()]; permitted(h) {
		return h
	}
	return 0
}

// permitted tells whether a hash may be computed: in a program that permits
// approved algorithms only, SHA-1 would panic.
func permitted(h crypto.Hash) bool { return h != crypto.SHA1 || !fips140.Enforced() }

// Hash is what the content was digested with; 0 if it is not known.
func (s *Signer) Hash() crypto.Hash { return HashOf(s.digest) }

// Verify checks that the signer with a certificate signed content, and that it
// was of the type. The certificate is not judged. Errors: ErrContent,
// ErrSignature, ErrAlgorithm, ErrForm.
func (s *Signer) Verify(cert *x509.Certificate, contentType asn1.ObjectIdentifier, content []byte) error {
	h := s.Hash()
	if h == 0 {
		return fmt.Errorf("%w: digest %v", ErrAlgorithm, s.digest.Algorithm)
	}
	signed := content
	if s.attrs != nil {
		if err := s.binds(h, contentType, content); err != nil {
			return err
		}
		signed = s.attrs
	}
	m, ok := methods[s.method.Algorithm.String()]
	if !ok {
		return fmt.Errorf("%w: signature %v", ErrAlgorithm, s.method.Algorithm)
	}
	salt := rsa.PSSSaltLengthAuto
	if m.scheme == pss {
		var err error
		if m.hash, salt, err = pssParameters(s.method.Parameters.FullBytes); err != nil {
			return err
		}
	}
	if m.hash == 0 {
		m.hash = h
	}
	if !permitted(m.hash) {
		return fmt.Errorf("%w: %v", ErrAlgorithm, m.hash)
	}
	return check(m, salt, cert.PublicKey, digest(m.hash, signed), s.value)
}

// binds checks the signed attributes: RFC 5652 §11.1 and §11.2 have them name
// the content's type and digest, once each.
func (s *Signer) binds(h crypto.Hash, contentType asn1.ObjectIdentifier, content []byte) error {
	var t asn1.ObjectIdentifier
	if s.repeated || whole(s.Attribute(oidContentType), &t) != nil || s.Octets(oidMessageDigest) == nil {
		return fmt.Errorf("%w: its attributes do not name one content", ErrForm)
	}
	if !t.Equal(contentType) || !bytes.Equal(s.Octets(oidMessageDigest), digest(h, content)) {
		return ErrContent
	}
	return nil
}

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// check checks a signature of a digest.
func check(m method, salt int, key crypto.PublicKey, digest, signature []byte) error {
	good := false
	switch p := key.(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < 1024 || p.N.BitLen() > 8192 {
			return fmt.Errorf("%w: RSA of %d bits", ErrAlgorithm, p.N.BitLen())
		}
		switch m.scheme {
		case pkcs1:
			good = rsa.VerifyPKCS1v15(p, m.hash, digest, signature) == nil
		case pss:
			good = rsa.VerifyPSS(p, m.hash, digest, signature, &rsa.PSSOptions{SaltLength: salt}) == nil
		}
	case *ecdsa.PublicKey:
		good = m.scheme == curve && ecdsa.VerifyASN1(p, digest, signature)
	default:
		return fmt.Errorf("%w: keys of %T", ErrAlgorithm, key)
	}
	if !good {
		return ErrSignature
	}
	return nil
}

var oidMGF1 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// pssParameters reads RSASSA-PSS-params, RFC 4055 §3.1. Hash and mask
// generation have the same hash, as everywhere.
func pssParameters(der []byte) (crypto.Hash, int, error) {
	p := struct {
		Hash    pkix.AlgorithmIdentifier `asn1:"optional,explicit,tag:0"`
		MGF     pkix.AlgorithmIdentifier `asn1:"optional,explicit,tag:1"`
		Salt    int                      `asn1:"optional,explicit,tag:2,default:20"`
		Trailer int                      `asn1:"optional,explicit,tag:3,default:1"`
	}{}
	if err := whole(der, &p); err != nil {
		return 0, 0, bad(err)
	}
	h, g := crypto.SHA1, crypto.SHA1
	if p.Hash.Algorithm != nil {
		h = HashOf(p.Hash)
	}
	if p.MGF.Algorithm != nil {
		var of pkix.AlgorithmIdentifier
		if !p.MGF.Algorithm.Equal(oidMGF1) || whole(p.MGF.Parameters.FullBytes, &of) != nil {
			return 0, 0, fmt.Errorf("%w: PSS mask generation", ErrAlgorithm)
		}
		g = HashOf(of)
	}
	if h == 0 || h != g || p.Trailer != 1 || p.Salt < 0 || p.Salt > 512 {
		return 0, 0, fmt.Errorf("%w: PSS parameters", ErrAlgorithm)
	}
	if p.Salt == 0 {
		return 0, 0, fmt.Errorf("%w: PSS without salt", ErrAlgorithm)
	}
	return h, p.Salt, nil
}
