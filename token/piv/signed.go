package piv

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"

	"github.com/go-cryptoki/cryptoki/internal/cms"
)

// Object identifiers of the US government's PIV programme, FIPS 201-3 appendix
// B, and others that signed objects use.
var (
	oidCHUID      = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 6, 1}
	oidBiometric  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 6, 2}
	oidSignerName = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 6, 5}
	oidFASCN      = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 6, 6}
	oidEntryUUID  = asn1.ObjectIdentifier{1, 3, 6, 1, 1, 16, 4}
	// A content signer's extended key usage: PIV, and PIV-I.
	oidsContentSigning = []asn1.ObjectIdentifier{{2, 16, 840, 1, 101, 3, 6, 7}, {2, 16, 840, 1, 101, 3, 8, 7}}
)

// verify judges the signature of an object over one of some contents, and the
// certificate behind it, which comes with the signature or with the CHUID's, or
// is among those that the caller gave.
// It returns the signature if it is one, be it good or not.
func (j *judgement) verify(about subject, signature []byte, contentType asn1.ObjectIdentifier, contents ...[]byte) *cms.Signer {
	sd, err := cms.Parse(signature)
	if err != nil {
		j.say(Damaged, about, "its signature: %v", err)
		return nil
	}
	if about.tag == tagCHUID {
		j.signers = sd.Certificates
	}
	return j.verifyParsed(about, sd, contentType, contents...)
}

func (j *judgement) verifyParsed(about subject, sd *cms.SignedData, contentType asn1.ObjectIdentifier, contents ...[]byte) *cms.Signer {
	if len(sd.Signers) == 0 {
		j.say(Unsigned, about, "nobody has signed it")
		return nil
	}
	s := sd.Signers[0]
	cert := s.Certificate(sd.Certificates)
	for _, among := range [][]*x509.Certificate{j.signers, j.issuers} {
		if cert == nil {
			cert = s.Certificate(among)
		}
	}
	if cert == nil {
		j.say(Unverified, about, "the certificate of its signer is not on the card")
		return s
	}
	for _, c := range contents {
		if err := s.Verify(cert, contentType, c); err == nil || !errors.Is(err, cms.ErrContent) {
			j.sayVerified(about, err)
			j.judgeSigner(about, s, cert)
			return s
		}
	}
	j.sayVerified(about, cms.ErrContent)
	j.judgeSigner(about, s, cert)
	return s
}

// sayVerified tells of a signature that is not good.
func (j *judgement) sayVerified(about subject, err error) {
	switch {
	case err == nil:
	case errors.Is(err, cms.ErrAlgorithm):
		j.say(Unverified, about, "%v", err)
	case errors.Is(err, cms.ErrForm):
		j.say(Damaged, about, "its signature: %v", err)
	default:
		j.say(Tampered, about, "%v", err)
	}
}

// judgeSigner judges the certificate behind a signature, once if several
// objects have the same, and its strength.
func (j *judgement) judgeSigner(about subject, s *cms.Signer, cert *x509.Certificate) {
	if s.Hash() == crypto.SHA1 {
		j.say(Weak, about, "it is signed with SHA-1")
	}
	if name := s.Attribute(oidSignerName); name != nil && !bytes.Equal(name, cert.RawSubject) {
		j.say(Mismatch, about, "it names another signer than %q, who signed it", cert.Subject.String())
	}
	if j.judged[string(cert.Raw)] {
		return
	}
	j.judged[string(cert.Raw)] = true
	const whose = "the certificate of its signer"
	j.validity(about, whose, cert)
	j.strength(about, whose, cert)
	j.issuer(about, whose, cert)
	if !signsContent(cert) {
		j.say(Mismatch, about, "%s is not for the signing of PIV content", whose)
	}
}

// signsContent tells whether a certificate is for it, or for anything.
func signsContent(c *x509.Certificate) bool {
	for _, use := range c.UnknownExtKeyUsage {
		for _, good := range oidsContentSigning {
			if use.Equal(good) {
				return true
			}
		}
	}
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0
}
