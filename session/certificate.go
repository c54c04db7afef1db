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

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
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
// follow from it: subject, issuer, serial number, value, the common name as
// CKA_LABEL, and as CKA_ID that of the key on the token that it certifies, if
// the session sees one, else KeyID of its public key. A card whose objects have
// fixed places, such as a PIV card, has labels of its own, and the certificate
// goes to the slot of its key. What is given in more goes before all that;
// CKA_TOKEN false makes a session object of it. The card is reached, also to
// find the key. Errors: as of Create, which are ckr.TemplateIncomplete if no
// slot is known to have the certificate's key and none is given as CKA_ID;
// ckr.ArgumentsBad for a certificate that is nil or was not parsed.
func (s *Session) StoreCertificate(ctx context.Context, cert *x509.Certificate, more ...object.Attribute) (*object.Object, error) {
	const op = "store certificate"
	if cert == nil || len(cert.Raw) == 0 || cert.SerialNumber == nil {
		return nil, ckr.Newf(ckr.ArgumentsBad, op, "a certificate is needed that was parsed from its DER")
	}
	if _, err := s.Info(); err != nil {
		return nil, codes.Wrap(op, err)
	}
	t := object.Template{
		object.AttrClass.Is(object.ClassCertificate), object.AttrCertificateType.Is(object.CertificateX509),
		object.AttrToken.Is(true),
		object.AttrSubject.Is(cert.RawSubject), object.AttrIssuer.Is(cert.RawIssuer),
		object.AttrSerialNumber.Is(derInteger(cert.SerialNumber)), object.AttrValue.Is(cert.Raw),
	}.With(more...)
	about, err := s.Token().Info(ctx)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if about.FixedPlaces && object.Is(t, object.AttrToken) {
		return s.Create(ctx, t...)
	}
	if !t.Has(object.AttrLabel.Type) {
		t = append(t, object.AttrLabel.Is(cert.Subject.CommonName))
	}
	if !t.Has(object.AttrID.Type) {
		id, err := s.idFor(ctx, cert.PublicKey)
		if err != nil {
			return nil, codes.Wrap(op, err)
		}
		if id != nil {
			t = append(t, object.AttrID.Is(id))
		}
	}
	return s.Create(ctx, t...)
}

// idFor returns the CKA_ID of what belongs to a public key: that of the key on
// the token, else KeyID.
func (s *Session) idFor(ctx context.Context, pub crypto.PublicKey) ([]byte, error) {
	usual := KeyID(pub)
	if usual == nil {
		return nil, nil
	}
	classes := []object.Class{object.ClassPrivateKey, object.ClassPublicKey}
	for _, class := range classes { // which the card's directories tell
		for _, err := range s.Find(ctx, object.AttrClass.Is(class), object.AttrID.Is(usual)) {
			return usual, err
		}
	}
	for _, class := range classes {
		for o, err := range s.Find(ctx, object.AttrClass.Is(class)) {
			if err != nil {
				return nil, err
			}
			id, err := object.Get(ctx, o, object.AttrID)
			if err != nil || len(id) == 0 {
				continue // it has none to share
			}
			if key, err := s.PublicKey(ctx, o); err == nil && isSameKey(pub, key) {
				return id, nil
			}
		}
	}
	return usual, nil
}

func isSameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
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
