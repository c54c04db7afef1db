package session

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/mlkem"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/object"
)

// PublicKey returns the public key of a key or a certificate. For a private
// key that does not tell it, it is that of a public key or a certificate with
// the same CKA_ID that the session sees. It may read the card. Errors:
// ckr.KeyHandleInvalid for other objects, ckr.KeyNeeded if there is none,
// ckr.KeyTypeInconsistent if the standard library has no type for it.
func (s *Session) PublicKey(ctx context.Context, o *object.Object) (crypto.PublicKey, error) {
	const op = "public key"
	own, err := s.template(ctx, o)
	if err != nil {
		return nil, err
	}
	if o.Class() == object.ClassCertificate {
		return certified(own)
	}
	pub, err := engine.PublicKey(own)
	switch {
	case err == nil:
		return pub, nil
	case o.Class() == object.ClassPublicKey:
		return nil, ckr.New(ckr.KeyTypeInconsistent, op, err)
	case o.Class() != object.ClassPrivateKey:
		return nil, ckr.Newf(ckr.KeyHandleInvalid, op, "%v has no public key", o)
	}
	if info, _ := object.In(own, object.AttrPublicKeyInfo); len(info) > 0 { // told, and of no type of the standard library
		return nil, ckr.New(ckr.KeyTypeInconsistent, op, err)
	}
	id, ok := object.In(own, object.AttrID)
	if !ok || len(id) == 0 {
		return nil, ckr.Newf(ckr.KeyNeeded, op, "the private key has neither a public key nor an id")
	}
	var unreadable error
	for _, class := range []object.Class{object.ClassPublicKey, object.ClassCertificate} {
		for o, err := range s.Find(ctx, object.AttrClass.Is(class), object.AttrID.Is(id)) {
			if err != nil {
				return nil, err
			}
			pub, err := s.PublicKey(ctx, o)
			if err == nil && sameType(pub, own) {
				return pub, nil
			}
			if err != nil {
				unreadable = fmt.Errorf("%v: %w", o, err)
			}
		}
	}
	if unreadable != nil {
		return nil, ckr.Newf(ckr.KeyNeeded, op, "no public key or certificate with the id %x can be read: %w", id, unreadable)
	}
	return nil, ckr.Newf(ckr.KeyNeeded, op, "no public key or certificate has the id %x", id)
}

// certified is the public key of a certificate.
func certified(t object.Template) (crypto.PublicKey, error) {
	der, _ := object.In(t, object.AttrValue)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, ckr.New(ckr.KeyTypeInconsistent, "public key", err)
	}
	return cert.PublicKey, nil
}

// sameType reports whether a public key can belong to a private key.
func sameType(pub crypto.PublicKey, priv object.Template) bool {
	kt, _ := object.In(priv, object.AttrKeyType)
	switch pub.(type) {
	case *rsa.PublicKey:
		return kt == object.KeyRSA
	case *ecdsa.PublicKey:
		return kt == object.KeyEC
	case ed25519.PublicKey:
		return kt == object.KeyECEdwards
	case *ecdh.PublicKey:
		return kt == object.KeyECMontgomery
	case *mlkem.EncapsulationKey768, *mlkem.EncapsulationKey1024:
		return kt == object.KeyMLKEM
	}
	return false
}

// template reads attributes and leaves out those that cannot be had.
func (s *Session) template(ctx context.Context, o *object.Object, types ...object.Type) (object.Template, error) {
	all, err := s.Attributes(ctx, o, types...)
	if err != nil {
		return nil, err
	}
	var t object.Template
	for _, v := range all {
		if v.Code == ckr.OK {
			t = append(t, v.Attribute)
		}
	}
	return t, nil
}
