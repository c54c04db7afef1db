package piv

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Extensions of attestation certificates, under Yubico's arc.
var (
	yubicoArc     = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 41482, 3}
	arcVersion    = 3
	arcSerial     = 7
	arcPolicy     = 8
	arcFormFactor = 9
)

// The time that certificates of the card are good for: the card has no clock.
var (
	notBefore = time.Date(2016, 3, 14, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2052, 4, 17, 0, 0, 0, 0, time.UTC)
)

func extension(arc int, value []byte) pkix.Extension {
	id := append(append(asn1.ObjectIdentifier{}, yubicoArc...), arc)
	return pkix.Extension{Id: id, Value: value}
}

// certifyAttestation makes the attestation key, with a certificate from an
// authority that exists for this card only.
func (c *Card) certifyAttestation() {
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	k, err := makeKey(P256)
	if err != nil {
		return
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Virtual PIV Attestation Root"},
		NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if c.root, err = x509.CreateCertificate(rand.Reader, root, root, authority.Public(), authority); err != nil {
		return
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Virtual PIV Attestation"},
		NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, own, root, k.public(), authority)
	if err != nil {
		return
	}
	k.generated = true
	c.place(refAttestation, k)
	c.journal.head = true
	c.putObject(tagAttestation, certificateObject(cert))
}

// certificateObject wraps a certificate, SP 800-73-5 part 1 table 10.
func certificateObject(der []byte) []byte {
	return tlv.New(0x53, tlv.New(0x70, der), tlv.New(0x71, []byte{0}), tlv.New(0xFE))
}

// attest is Yubico's ATTEST: a certificate that says that a key was generated
// on the card, by the attestation key.
func (c *Card) attest(m *command) ([]byte, apdu.Status) {
	if m.P2 != 0 || !isSlot(m.P1) {
		return nil, apdu.SWWrongP1P2
	}
	k, by := c.keys[m.P1], c.keys[refAttestation]
	switch {
	case k == nil:
		return nil, apdu.SWReferenceNotFound
	case !k.generated:
		return nil, apdu.SWConditionsNotSatisfied
	case by == nil || c.objects[tagAttestation] == nil:
		return nil, apdu.SWReferenceNotFound
	}
	signer, ok := by.private.(crypto.Signer)
	if !ok {
		return nil, apdu.SWConditionsNotSatisfied
	}
	der, err := tlv.Find(c.objects[tagAttestation], 0x53, 0x70)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	parent, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	out, err := certify(c.statement(k, m.P1), parent, k.public(), signer)
	if err != nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	return out, apdu.OK
}

// certify makes a certificate, also of an X25519 key, which crypto/x509 does
// not: its certificate is that of an Ed25519 key of the same bytes, named
// otherwise and signed again.
func certify(template, parent *x509.Certificate, public any, signer crypto.Signer) ([]byte, error) {
	x, ok := public.(*ecdh.PublicKey)
	if !ok {
		return x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, ed25519.PublicKey(x.Bytes()), signer)
	if err != nil {
		return nil, err
	}
	draft, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	info, err := x509.MarshalPKIXPublicKey(x)
	if err != nil {
		return nil, err
	}
	var out struct {
		Statement asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &out); err != nil {
		return nil, err
	}
	out.Statement.FullBytes = bytes.Replace(draft.RawTBSCertificate, draft.RawSubjectPublicKeyInfo, info, 1)
	out.Signature.Bytes, err = crypto.SignMessage(signer, rand.Reader, out.Statement.FullBytes, hashOf(draft.SignatureAlgorithm))
	if err != nil {
		return nil, err
	}
	out.Signature.BitLength = 8 * len(out.Signature.Bytes)
	return asn1.Marshal(out)
}

// hashOf is the hash of a signature that crypto/x509 made.
func hashOf(a x509.SignatureAlgorithm) crypto.Hash {
	switch a {
	case x509.PureEd25519:
		return 0
	case x509.ECDSAWithSHA384:
		return crypto.SHA384
	default:
		return crypto.SHA256
	}
}

// statement is what an attestation says of a key.
func (c *Card) statement(k *key, ref byte) *x509.Certificate {
	number, _ := asn1.Marshal(int64(c.persona.Serial))
	serial := new(big.Int).SetBytes(random(16))
	return &x509.Certificate{
		SerialNumber: serial.Rsh(serial, 1).Add(serial, big.NewInt(1)),
		Subject:      pkix.Name{CommonName: fmt.Sprintf("YubiKey PIV Attestation %x", ref)},
		NotBefore:    notBefore, NotAfter: notAfter,
		ExtraExtensions: []pkix.Extension{
			extension(arcVersion, c.persona.Version[:]),
			extension(arcSerial, number),
			extension(arcPolicy, []byte{k.pinPolicy(ref), k.touchPolicy()}),
			extension(arcFormFactor, []byte{1}),
		},
	}
}
