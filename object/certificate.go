package object

import (
	"encoding/asn1"

	"github.com/go-cryptoki/cryptoki/ckr"
)

func certificateDefaults(t Template) Template {
	t = t.fill(AttrCertificateCategory.Is(CertificateCategoryUnspecified),
		AttrStartDate.Is(Date{}), AttrEndDate.Is(Date{}), AttrTrusted.Is(false))
	switch kind, _ := In(t, AttrCertificateType); kind {
	case CertificateX509:
		return t.fill(AttrID.Is(nil), AttrValue.Is(nil), AttrURL.Is(""),
			AttrHashOfSubjectPublicKey.Is(nil), AttrHashOfIssuerPublicKey.Is(nil),
			AttrJavaMIDPSecurityDomain.Is(SecurityDomainUnspecified))
	case CertificateX509AttrCert:
		return t.fill(AttrACIssuer.Is(nil), AttrSerialNumber.Is(nil), AttrAttrTypes.Is(nil))
	case CertificateWTLS:
		return t.fill(AttrIssuer.Is(nil), AttrValue.Is(nil), AttrURL.Is(""),
			AttrHashOfSubjectPublicKey.Is(nil), AttrHashOfIssuerPublicKey.Is(nil))
	}
	return t
}

// missingHashes asks for the hashes of a certificate that is found by a URL
// (PKCS #11 v3.2 §4.6.3), for an X.509 certificate; and for a value or a URL.
func missingHashes(t Template) error {
	kind, _ := In(t, AttrCertificateType)
	if kind != CertificateX509 && kind != CertificateWTLS {
		return nil
	}
	value, _ := t.Lookup(AttrValue.Type)
	url, _ := In(t, AttrURL)
	if value.Len() == 0 && url == "" {
		return invalid(AttrValue.Type, "empty, and no URL is given")
	}
	if url == "" || kind != CertificateX509 {
		return nil
	}
	for _, need := range []Type{AttrHashOfSubjectPublicKey.Type, AttrHashOfIssuerPublicKey.Type} {
		if hash, ok := t.Lookup(need); !ok || hash.Len() == 0 {
			return ckr.New(ckr.TemplateIncomplete, need.String(), nil)
		}
	}
	return nil
}

// finishCertificate checks that the value of an X.509 certificate is one BER
// sequence and fills in issuer, serial number, public key and check value. A value that is not
// understood further is kept as it is: old cards have such.
func finishCertificate(t Template) (Template, error) {
	value, ok := t.Lookup(AttrValue.Type)
	if !ok || value.Len() == 0 {
		return emptyNames(t), nil
	}
	if kind, _ := In(t, AttrCertificateType); kind != CertificateX509 {
		return finishCertificateCheck(t, value.value) // opaque
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(value.value, &outer)
	if err != nil || len(rest) != 0 || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence {
		return nil, invalid(AttrValue.Type, "not a certificate")
	}
	if head, ok := readCertificate(outer.Bytes); ok {
		t = fillEmpty(t, AttrIssuer, head.issuer)
		t = fillEmpty(t, AttrSerialNumber, head.serial)
		t = fillEmpty(t, AttrPublicKeyInfo, head.publicKey)
	}
	return finishCertificateCheck(emptyNames(t), value.value)
}

// finishCertificateCheck fills in the check value; the text names no check of
// one that is given.
func finishCertificateCheck(t Template, value []byte) (Template, error) {
	if check := hashCheck(value); len(check) != 0 {
		t = t.Default(AttrCheckValue.Is(check))
	}
	return t, nil
}

// emptyNames gives an X.509 certificate the empty defaults of its table.
func emptyNames(t Template) Template {
	if kind, ok := In(t, AttrCertificateType); ok && kind == CertificateX509 {
		return t.Default(AttrIssuer.Is(nil), AttrSerialNumber.Is(nil))
	}
	return t
}

// fillEmpty gives an attribute a value where it has none.
func fillEmpty(t Template, a Attr[[]byte], value []byte) Template {
	if old, ok := t.Lookup(a.Type); ok && old.Len() > 0 {
		return t
	}
	return t.With(a.Is(value))
}

// names are the parts of a certificate that attributes repeat, in DER.
type names struct{ serial, issuer, subject, publicKey []byte }

// readCertificate walks the fields of TBSCertificate, RFC 5280 §4.1.
func readCertificate(content []byte) (names, bool) {
	body, _, ok := element(content)
	if !ok || body.Tag != asn1.TagSequence {
		return names{}, false
	}
	rest := body.Bytes
	field, next, ok := element(rest)
	if ok && field.Class == asn1.ClassContextSpecific && field.Tag == 0 { // the version
		rest = next
	}
	var fields [6]asn1.RawValue // serial number, algorithm, issuer, validity, subject, public key
	for i := range fields {
		if fields[i], rest, ok = element(rest); !ok {
			return names{}, false
		}
	}
	if fields[0].Tag != asn1.TagInteger || fields[2].Tag != asn1.TagSequence || fields[5].Tag != asn1.TagSequence {
		return names{}, false
	}
	return names{fields[0].FullBytes, fields[2].FullBytes, fields[4].FullBytes, fields[5].FullBytes}, true
}

func element(b []byte) (v asn1.RawValue, rest []byte, ok bool) {
	rest, err := asn1.Unmarshal(b, &v)
	return v, rest, err == nil
}
