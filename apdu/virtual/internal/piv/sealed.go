package piv

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
)

// sealed is what is kept of something private: an object, or the private half
// of a key in PKCS #8.
type sealed struct {
	Length int // in bytes, when it is open
	Sealed []byte
	Slot   byte `json:",omitempty"` // of a key: where it was when it was sealed

	damaged bool // the PIN did not open it
}

// label says where something sealed belongs: on this card, in a record.
func (c *Card) label(key, what string) string {
	return fmt.Sprintf("card %x, record %s, %s", c.id, key, what)
}

func (c *Card) pinLabel(ref byte) string {
	return c.label(fmt.Sprintf("%s%02x", pinFolder, ref), "PIN")
}

func (c *Card) objectLabel(tag uint32) string {
	return c.label(fmt.Sprintf("%s%06x", sealedFolder, tag), "object")
}

// keyLabel has the public half in it: a private half does not pass for that
// of another slot, unless the keys were moved as a whole, for which the card
// asks no PIN either.
func (c *Card) keyLabel(slot byte, public []byte) string {
	return c.label(fmt.Sprintf("%s%02x", keyFolder, slot), fmt.Sprintf("private half of %x", sha256.Sum256(public)))
}

// private tells whether the PIN guards a key. The others the card uses
// without, and so must be able to read.
func (k *key) guarded(ref byte) bool { return ref != refAttestation && k.pinPolicy(ref) != pinNever }

// unseal opens all that is sealed, once the pair is unlocked. What is damaged
// stays closed, and the rest is not affected.
func (c *Card) unseal() {
	for tag, s := range c.closed {
		raw, err := c.pair.Open(s.Sealed, c.objectLabel(tag))
		if err != nil || len(raw) != s.Length {
			s.damaged = true
			c.closed[tag] = s
			continue
		}
		c.objects[tag] = raw
		delete(c.closed, tag)
	}
	for ref, k := range c.keys {
		if k.closed == nil || k.closed.damaged {
			continue
		}
		open, err := c.openKey(k)
		if err != nil {
			k.closed.damaged = true
			continue
		}
		open.pin, open.touch, open.generated = k.pin, k.touch, k.generated
		c.keys[ref] = open
	}
}

func (c *Card) openKey(k *key) (*key, error) {
	public, err := x509.MarshalPKIXPublicKey(k.pub)
	if err != nil {
		return nil, err
	}
	pkcs8, err := c.pair.Open(k.closed.Sealed, c.keyLabel(k.closed.Slot, public))
	if err != nil {
		return nil, err
	}
	defer clear(pkcs8)
	open, err := parseKey(pkcs8)
	if err != nil {
		return nil, err
	}
	if got, err := x509.MarshalPKIXPublicKey(open.public()); err != nil || !bytes.Equal(got, public) {
		return nil, errKind
	}
	return open, nil
}

// sealKey turns a key into what is kept of it.
func (c *Card) sealKey(ref byte, k *key) (i keyImage, err error) {
	i = keyImage{PIN: k.pin, Touch: k.touch, Generated: k.generated}
	if !k.guarded(ref) {
		if k.closed != nil {
			return i, errUnknown
		}
		i.PKCS8 = k.pkcs8
		return i, nil
	}
	if i.Public, err = x509.MarshalPKIXPublicKey(k.public()); err != nil {
		return i, err
	}
	if i.Private = k.closed; i.Private != nil {
		return i, nil
	}
	box, err := c.pair.Seal(k.pkcs8, c.keyLabel(ref, i.Public))
	i.Private = &sealed{Length: k.length, Sealed: box, Slot: ref}
	return i, err
}

// errUnknown comes of forged records only.
var errUnknown = errors.New("something is to be kept that is not known")

// closedKey is a key of which the private half is not known.
func closedKey(i keyImage) (*key, error) {
	public, err := x509.ParsePKIXPublicKey(i.Public)
	if err != nil || i.Private == nil || i.Private.Length < 0 || i.Private.Length > maxKey {
		return nil, errKind
	}
	k := &key{algorithm: algorithmOf(public), pub: public, closed: i.Private, length: i.Private.Length}
	if k.algorithm == 0 {
		return nil, errKind
	}
	return k, nil
}

// maxKey is more than the longest key takes in PKCS #8.
const maxKey = 8 << 10

// algorithmOf returns the algorithm of a public key, or 0.
func algorithmOf(public any) Algorithm {
	switch p := public.(type) {
	case *rsa.PublicKey:
		for _, a := range []Algorithm{RSA1024, RSA2048, RSA3072, RSA4096} {
			if a.rsaBits() == p.N.BitLen() {
				return a
			}
		}
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P256():
			return P256
		case elliptic.P384():
			return P384
		}
	case ed25519.PublicKey:
		return Ed25519
	case *ecdh.PublicKey:
		if p.Curve() == ecdh.X25519() {
			return X25519
		}
	}
	return 0
}
