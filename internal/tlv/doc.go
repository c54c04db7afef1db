// Package tlv reads and writes BER-TLV data objects as smart cards use them,
// ISO 7816-4 §5.2.2 and annex E, and ISO 8825-1 as far as cards go.
//
//	modulus, err := tlv.Find(answer, 0x7F49, 0x81)
//	for e, err := range tlv.Parse(directory) { … }
//	b = tlv.Append(b, 0x5FC105, value)
//
// Nothing that a card sends can harm: lengths are compared with the bytes that
// are there, values are parts of the input and never copied, elements and
// nesting are counted. Errors say at which tag and where.
//
// The package knows no ASN.1 types; those are left to encoding/asn1 and to the
// drivers.
package tlv
