package session

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"math/big"

	"github.com/go-cryptoki/cryptoki/internal/fingerprint"
	"github.com/go-cryptoki/cryptoki/object"
)

// KeyID is the CKA_ID that goes with a public key where nobody chose another:
// the SHA-1 hash of the modulus or the point, by which private key, public key
// and certificate find each other. It is nil for a type of key that is not
// known.
func KeyID(pub crypto.PublicKey) []byte {
	var b []byte
	switch k := pub.(type) {
	case *rsa.PublicKey:
		b = k.N.Bytes()
	case *ecdsa.PublicKey:
		var err error
		if b, err = k.Bytes(); err != nil {
			return nil
		}
	case ed25519.PublicKey:
		b = k
	case *ecdh.PublicKey:
		b = k.Bytes()
	default:
		return nil
	}
	h := fingerprint.SHA1(b)
	return h[:]
}

// StoreCertificate stores a certificate on the token, with the attributes that
// follow from it: subject, issuer, serial number, value, and KeyID of its
// public key as CKA_ID. What is given in more goes before that; CKA_TOKEN false
// makes a session object of it. Errors: as of Create.
func (s *Session) StoreCertificate(ctx context.Context, cert *x509.Certificate, more ...object.Attribute) (*object.Object, error) {
	t := object.Template{
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrToken.Is(true), object.AttrLabel.Is(cert.Subject.CommonName),
		object.AttrSubject.Is(cert.RawSubject), object.AttrIssuer.Is(cert.RawIssuer),
		object.AttrSerialNumber.Is(derInteger(cert.SerialNumber)), object.AttrValue.Is(cert.Raw),
	}
	if id := KeyID(cert.PublicKey); id != nil {
		t = append(t, object.AttrID.Is(id))
	}
	return s.Create(ctx, t.With(more...)...)
}

// derInteger is a non-negative number of less than 128 bytes as a DER INTEGER;
// RFC 5280 §4.1.2.2 lets serial numbers have 20.
func derInteger(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	if len(b) >= 0x80 {
		return nil
	}
	return append([]byte{0x02, byte(len(b))}, b...)
}
