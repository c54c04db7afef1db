package piv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-cryptoki/cryptoki/internal/fingerprint"
)

// judgeCertificate judges the certificate of a slot, and whether it belongs to
// the card and to the slot's key.
func (j *judgement) judgeCertificate(p *place, held certificate) {
	about, c := certificateOf(p), held.parsed
	for _, odd := range held.odd {
		j.say(Damaged, about, "%s", odd)
	}
	if c == nil {
		j.say(Damaged, about, "%v", held.err)
		return
	}
	j.validity(about, "it", c)
	j.strength(about, "it", c)
	j.issuer(about, "it", c)
	if c.SubjectKeyId != nil && !identifies(c.SubjectKeyId, c) {
		j.say(Mismatch, about, "its subject key identifier is not one of its key")
	}
	if p.ref == 0x9A || p.ref == refCardAuth {
		j.belongs(about, c)
	}
	if p.ref != refKeyMgmt && !p.retired() && p.ref != refAttestation {
		j.outlives(about, c)
	}
	switch j.keys[p] {
	case keyDiffers:
		j.say(Mismatch, privateKeyOf(p), "it is not the key of the certificate")
	case keyAbsent:
		j.say(Missing, privateKeyOf(p), "the slot has no key that the certificate could be for")
	}
}

// strength tells of keys and hashes that SP 800-78-5 does not have any more.
func (j *judgement) strength(about subject, whose string, c *x509.Certificate) {
	switch p := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < 2048 {
			j.say(Weak, about, "%s has an RSA key of %d bits", whose, p.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if p.Curve.Params().BitSize < 256 {
			j.say(Weak, about, "%s has a key of %d bits", whose, p.Curve.Params().BitSize)
		}
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		j.say(Weak, about, "%s is signed with %v", whose, c.SignatureAlgorithm)
	}
}

// issuer judges who signed a certificate: itself, or one of the issuers that
// are known.
func (j *judgement) issuer(about subject, whose string, c *x509.Certificate) {
	if bytes.Equal(c.RawIssuer, c.RawSubject) {
		if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil && !unsure(err) {
			j.say(Tampered, about, "%s says that it is signed with its own key, and is not", whose)
		}
		return
	}
	if len(j.issuers) == 0 {
		return
	}
	known := false
	for _, i := range j.issuers {
		if !bytes.Equal(c.RawIssuer, i.RawSubject) {
			continue
		}
		known = true
		if err := c.CheckSignatureFrom(i); unsure(err) {
			return // it was called weak
		} else if err == nil {
			j.validity(about, "the certificate of "+c.Issuer.CommonName+", who issued "+strings.TrimPrefix(whose, "the ")+",", i)
			return
		}
	}
	if known {
		j.say(Tampered, about, "%s is not what %q signed", whose, c.Issuer.CommonName)
	} else if about.tag != tagAttestation { // that comes from the card's maker
		j.say(Unverified, about, "%s is issued by %q, who is not known", whose, c.Issuer.CommonName)
	}
}

// unsure tells whether crypto/x509 did not look at a signature for its
// algorithm.
func unsure(err error) bool {
	var insecure x509.InsecureAlgorithmError
	return errors.As(err, &insecure) || errors.Is(err, x509.ErrUnsupportedAlgorithm)
}

// identifies tells whether a subject key identifier is made of the key in one
// of the ways of RFC 5280 §4.2.1.2 or RFC 7093 §2.
func identifies(id []byte, c *x509.Certificate) bool {
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki); err != nil {
		return false
	}
	one := fingerprint.SHA1(spki.Key.Bytes)
	short := bytes.Clone(one[12:])
	short[0] = 0x40 | short[0]&0x0F
	ids := [][]byte{one[:], short}
	for _, of := range [][]byte{spki.Key.Bytes, c.RawSubjectPublicKeyInfo} {
		s256, s384, s512 := sha256.Sum256(of), sha512.Sum384(of), sha512.Sum512(of)
		for _, h := range [][]byte{s256[:], s384[:], s512[:]} {
			ids = append(ids, h, h[:20])
		}
	}
	return slices.ContainsFunc(ids, func(x []byte) bool { return bytes.Equal(x, id) })
}

// outlives tells of a certificate that is valid for longer than the card, which
// FIPS 201-3 §4.2.2 does not have of keys other than those for key management.
func (j *judgement) outlives(about subject, c *x509.Certificate) {
	if j.issued && j.chuid != nil && !j.chuid.expires.IsZero() && c.NotAfter.After(j.chuid.expires) {
		j.say(Mismatch, about, "it is valid until %s, longer than the card, which is until %s",
			c.NotAfter.UTC().Format(time.DateOnly), j.chuid.expires.Format(time.DateOnly))
	}
}

// belongs compares FASC-N and card UUID in a certificate with the CHUID's.
// Either is enough: cards before FIPS 201-2 have no UUID, PIV-I cards no FASC-N
// there.
func (j *judgement) belongs(about subject, c *x509.Certificate) {
	if !j.issued || j.chuid == nil {
		return
	}
	fascn, uuids := names(c)
	if fascn == nil && len(uuids) == 0 {
		j.say(Missing, about, "it names no card, neither by FASC-N nor by UUID")
	}
	if fascn != nil && len(j.chuid.fascn) == fascnLength && !bytes.Equal(fascn, j.chuid.fascn) {
		j.say(Mismatch, about, "its FASC-N is not the CHUID's")
	}
	own := func(u []byte) bool { return bytes.Equal(u, j.chuid.guid) }
	if len(uuids) > 0 && len(j.chuid.guid) == guidLength && !slices.ContainsFunc(uuids, own) {
		j.say(Mismatch, about, "its card UUID is not the CHUID's")
	}
}

var oidSubjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// names reads the subject alternative names that stand for a card: a FASC-N,
// and UUIDs as URIs (RFC 4122 §3).
func names(c *x509.Certificate) (fascn []byte, uuids [][]byte) {
	for _, x := range c.Extensions {
		if !x.Id.Equal(oidSubjectAltName) {
			continue
		}
		var all []asn1.RawValue
		if _, err := asn1.Unmarshal(x.Value, &all); err != nil {
			continue
		}
		for _, n := range all {
			switch {
			case n.Class != asn1.ClassContextSpecific:
			case n.Tag == 0:
				fascn = append(fascn, otherName(n.Bytes)...)
			case n.Tag == 6:
				if u, ok := strings.CutPrefix(strings.ToLower(string(n.Bytes)), "urn:uuid:"); ok {
					id, _ := hex.DecodeString(strings.ReplaceAll(u, "-", ""))
					uuids = append(uuids, id)
				}
			}
		}
	}
	return fascn, uuids
}

// otherName is the value of an otherName that is a FASC-N.
func otherName(b []byte) []byte {
	var t asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(b, &t)
	if err != nil || !t.Equal(oidFASCN) {
		return nil
	}
	var outer asn1.RawValue
	var v []byte
	if _, err := asn1.Unmarshal(rest, &outer); err != nil {
		return nil
	}
	if _, err := asn1.Unmarshal(outer.Bytes, &v); err != nil {
		return nil
	}
	return v
}
