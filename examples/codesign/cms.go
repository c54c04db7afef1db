package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// Object identifiers of CMS, RFC 5652, and of its algorithms, RFC 5754.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSHA256        = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidRSA           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidECDSASHA256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

type algorithm struct {
	Algorithm  asn1.ObjectIdentifier
	Parameters asn1.RawValue `asn1:"optional"`
}

type attribute struct {
	Type   asn1.ObjectIdentifier
	Values []asn1.RawValue `asn1:"set"`
}

type issuerAndSerial struct {
	Issuer asn1.RawValue
	Serial *big.Int
}

type signerInfo struct {
	Version            int
	SID                issuerAndSerial
	DigestAlgorithm    algorithm
	SignedAttrs        asn1.RawValue
	SignatureAlgorithm algorithm
	Signature          []byte
}

type signedData struct {
	Version          int
	DigestAlgorithms []algorithm `asn1:"set"`
	EncapContentInfo struct{ ContentType asn1.ObjectIdentifier }
	Certificates     asn1.RawValue
	SignerInfos      []signerInfo `asn1:"set"`
}

type contentInfo struct {
	ContentType asn1.ObjectIdentifier
	Content     asn1.RawValue
}

// sign makes a detached signature: SignedData without the content.
func sign(content []byte, chain [][]byte, cert *x509.Certificate, key crypto.Signer, now time.Time) ([]byte, error) {
	attrs, err := signedAttrs(content, now)
	if err != nil {
		return nil, err
	}
	// What is signed has the tag of a SET; in the message it is [0].
	digest := sha256.Sum256(attrs)
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	how, err := signatureAlgorithm(key.Public())
	if err != nil {
		return nil, err
	}
	sha := algorithm{Algorithm: oidSHA256}
	data := signedData{
		Version: 1, DigestAlgorithms: []algorithm{sha},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: slices.Concat(chain...)},
		SignerInfos: []signerInfo{{
			Version: 1, SID: issuerAndSerial{asn1.RawValue{FullBytes: cert.RawIssuer}, cert.SerialNumber},
			DigestAlgorithm: sha, SignedAttrs: asn1.RawValue{FullBytes: append([]byte{0xA0}, attrs[1:]...)},
			SignatureAlgorithm: how, Signature: signature,
		}},
	}
	data.EncapContentInfo.ContentType = oidData
	inner, err := asn1.Marshal(data)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(contentInfo{oidSignedData, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner}})
}

// signedAttrs is the DER of the attributes that are signed, as a SET.
func signedAttrs(content []byte, now time.Time) ([]byte, error) {
	digest := sha256.Sum256(content)
	var attrs []attribute
	for _, a := range []struct {
		oid   asn1.ObjectIdentifier
		value any
	}{{oidContentType, oidData}, {oidMessageDigest, digest[:]}, {oidSigningTime, now.UTC()}} {
		der, err := asn1.Marshal(a.value)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, attribute{a.oid, []asn1.RawValue{{FullBytes: der}}})
	}
	return asn1.MarshalWithParams(attrs, "set")
}

func signatureAlgorithm(pub crypto.PublicKey) (algorithm, error) {
	switch pub.(type) {
	case *rsa.PublicKey:
		return algorithm{oidRSA, asn1.NullRawValue}, nil
	case *ecdsa.PublicKey:
		return algorithm{Algorithm: oidECDSASHA256}, nil
	}
	return algorithm{}, fmt.Errorf("no CMS algorithm for a %T here", pub)
}
