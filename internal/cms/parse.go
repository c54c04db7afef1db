package cms

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// SignedData is a content and who signed it.
type SignedData struct {
	// ContentType tells what was signed.
	ContentType asn1.ObjectIdentifier
	// Content is what was signed; nil if it is elsewhere.
	Content []byte
	// Certificates are those that came along and that crypto/x509 reads.
	Certificates []*x509.Certificate
	Signers      []*Signer
}

// Signer is one signature.
type Signer struct {
	issuer   []byte // with serial, or
	serial   *big.Int
	keyID    []byte
	digest   pkix.AlgorithmIdentifier
	method   pkix.AlgorithmIdentifier
	attrs    []byte // DER of the SET that is signed, nil if there is none
	byType   map[string][]byte
	repeated bool // an attribute occurs more than once, or has not one value
	value    []byte
}

// ErrForm is for what is no SignedData.
var ErrForm = errors.New("not a CMS SignedData")

// maxParts bounds how many certificates, signers and attributes are read.
const maxParts = 32

var (
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

// signedData leaves apart what has a form of its own: RFC 5652 §5.1.
type signedData struct {
	Version      int
	Digests      asn1.RawValue
	Encapsulated encapsulated
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	Revocations  asn1.RawValue `asn1:"optional,tag:1"`
	Signers      asn1.RawValue
}

type encapsulated struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"optional,explicit,tag:0"`
}

type signerInfo struct {
	Version  int
	ID       asn1.RawValue
	Digest   pkix.AlgorithmIdentifier
	Attrs    asn1.RawValue `asn1:"optional,tag:0"`
	Method   pkix.AlgorithmIdentifier
	Value    []byte
	Unsigned asn1.RawValue `asn1:"optional,tag:1"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values asn1.RawValue
}

// Parse reads a ContentInfo with SignedData in it. What follows it is an
// error, too. The result refers to der.
func Parse(der []byte) (*SignedData, error) {
	var outer contentInfo
	if err := whole(der, &outer); err != nil || !outer.Type.Equal(oidSignedData) {
		return nil, bad(err)
	}
	var in signedData
	if err := whole(outer.Content.Bytes, &in); err != nil {
		return nil, bad(err)
	}
	sd := &SignedData{ContentType: in.Encapsulated.Type}
	if len(in.Encapsulated.Content.FullBytes) > 0 {
		if err := whole(in.Encapsulated.Content.Bytes, &sd.Content); err != nil {
			return nil, bad(err)
		}
	}
	err := each(in.Certificates.Bytes, func(v asn1.RawValue) error {
		if c, err := x509.ParseCertificate(v.FullBytes); err == nil {
			sd.Certificates = append(sd.Certificates, c)
		}
		return nil
	})
	if err != nil {
		return nil, bad(err)
	}
	if in.Signers.Class != asn1.ClassUniversal || in.Signers.Tag != asn1.TagSet {
		return nil, bad(nil)
	}
	err = each(in.Signers.Bytes, func(v asn1.RawValue) error {
		s, err := parseSigner(v.FullBytes)
		sd.Signers = append(sd.Signers, s)
		return err
	})
	if err != nil {
		return nil, bad(err)
	}
	return sd, nil
}

func bad(err error) error {
	if err == nil {
		return ErrForm
	}
	return fmt.Errorf("%w: %w", ErrForm, err)
}

// whole reads a value that ends where b ends.
func whole(b []byte, v any) error {
	rest, err := asn1.Unmarshal(b, v)
	if err == nil && len(rest) > 0 {
		return errors.New("trailing bytes")
	}
	return err
}

// each reads values one after the other.
func each(b []byte, f func(asn1.RawValue) error) error {
	for n := 0; len(b) > 0; n++ {
		if n == maxParts {
			return errors.New("too many parts")
		}
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(b, &v)
		if err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func parseSigner(der []byte) (*Signer, error) {
	var in signerInfo
	if err := whole(der, &in); err != nil {
		return nil, err
	}
	s := &Signer{digest: in.Digest, method: in.Method, value: in.Value, byType: make(map[string][]byte)}
	switch id := in.ID; {
	case id.Class == asn1.ClassContextSpecific && id.Tag == 0:
		s.keyID = id.Bytes
	default:
		var by issuerAndSerial
		if err := whole(id.FullBytes, &by); err != nil {
			return nil, err
		}
		s.issuer, s.serial = by.Issuer.FullBytes, by.Serial
	}
	if len(in.Attrs.FullBytes) == 0 {
		return s, nil
	}
	// What is signed has the tag of a SET, in place of the [0] that it is sent
	// with: RFC 5652 §5.4.
	s.attrs = bytes.Clone(in.Attrs.FullBytes)
	s.attrs[0] = asn1.TagSet | 0x20
	return s, each(in.Attrs.Bytes, s.addAttribute)
}

func (s *Signer) addAttribute(v asn1.RawValue) error {
	var a attribute
	if err := whole(v.FullBytes, &a); err != nil {
		return err
	}
	if a.Values.Class != asn1.ClassUniversal || a.Values.Tag != asn1.TagSet {
		return errors.New("an attribute has no SET of values")
	}
	var one asn1.RawValue
	err := whole(a.Values.Bytes, &one)
	_, twice := s.byType[a.Type.String()]
	s.repeated = s.repeated || twice || err != nil
	s.byType[a.Type.String()] = one.FullBytes
	return nil
}

// Attribute is the DER of the value of a signed attribute; nil if there is
// none.
func (s *Signer) Attribute(t asn1.ObjectIdentifier) []byte { return s.byType[t.String()] }

// Octets is the value of a signed attribute that is an OCTET STRING; nil if
// there is none.
func (s *Signer) Octets(t asn1.ObjectIdentifier) []byte {
	var v []byte
	if whole(s.Attribute(t), &v) != nil {
		return nil
	}
	return v
}

// Certificate finds the signer's certificate among some; nil if it is not
// there.
func (s *Signer) Certificate(among []*x509.Certificate) *x509.Certificate {
	for _, c := range among {
		if s.keyID != nil && bytes.Equal(c.SubjectKeyId, s.keyID) ||
			s.serial != nil && c.SerialNumber.Cmp(s.serial) == 0 && bytes.Equal(c.RawIssuer, s.issuer) {
			return c
		}
	}
	return nil
}
