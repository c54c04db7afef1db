package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// identity is what makes an object on a card the one it is: its place on the
// card, and for keys of pairs and certificates the public key or the value.
// Whoever replaces a key in its place makes another object, with another
// CKA_UNIQUE_ID, for which no handle of the old one is good.
type identity struct {
	place  string // CKA_UNIQUE_ID as the Backend has it
	proved []byte // the digest, as found since the listing; nil if not looked at
	wanted []byte // the digest that handles stand for; nil if nobody asked for it yet

	// Of a secret key, which has no public half, the key check value instead. It
	// is not part of CKA_UNIQUE_ID, as only the user can find it out.
	check, checkWanted []byte
}

// identified reports whether objects of a class are told apart by more than
// their place.
func identified(c object.Class) bool {
	return c == object.ClassPrivateKey || c == object.ClassPublicKey || c == object.ClassCertificate
}

// newRecord keeps the CKA_UNIQUE_ID of an object that is told apart by more
// than its place from what is known, until that is found out.
func newRecord(r driver.Record) *record {
	n := &record{Record: r}
	class, _ := object.In(r.Known, object.AttrClass)
	if id, ok := object.In(r.Known, object.AttrUniqueID); ok && identified(class) {
		n.place = id
		n.Known = r.Known.Without(object.AttrUniqueID.Type)
	}
	return n
}

// expects takes over what the record before said of the same Ref. The identity
// has to be proved again unless nobody else wrote.
func (r *record) expects(before *record, keep bool) {
	r.wanted, r.checkWanted = before.wanted, before.checkWanted
	if keep {
		r.check = before.check
	}
	if keep && before.proved != nil {
		r.accept(before.proved)
	}
}

// accept notes the digest of the object that is there.
func (r *record) accept(digest []byte) {
	r.proved, r.wanted = digest, digest
	r.Known = r.Known.With(object.AttrUniqueID.Is(r.uniqueID(digest)))
}

func (r *record) uniqueID(digest []byte) string {
	return r.place + "-" + hex.EncodeToString(digest[:8])
}

// mayBe reports whether the object can have a CKA_UNIQUE_ID.
func (r *record) mayBe(id []byte) bool {
	return r.place == "" || strings.HasPrefix(string(id), r.place)
}

// identify compares the object's attributes with what its handles stand for. It
// reports whether it is the same one. Attributes that do not tell it leave it
// open.
func (r *record) identify(all object.Template) bool {
	if r.place == "" {
		return true
	}
	digest := digestOf(all)
	if digest == nil {
		return true
	}
	if r.wanted != nil && !bytes.Equal(r.wanted, digest) {
		return false
	}
	r.accept(digest)
	return true
}

// tell takes the identity of an object from what its record has. What a Prover
// remembers of an object is not what the card has now, which only reading tells.
func (c *Card) tell(r *record) {
	if _, ok := c.backend.(driver.Prover); !ok {
		r.identify(r.Known)
	}
}

// digestOf returns a digest of the public key that a key's attributes tell, or
// of a certificate; nil if they do not.
func digestOf(all object.Template) []byte {
	class, _ := object.In(all, object.AttrClass)
	var of []byte
	if class == object.ClassCertificate {
		of, _ = object.In(all, object.AttrValue)
	} else if info, _ := object.In(all, object.AttrPublicKeyInfo); len(info) > 0 {
		of = info
	} else if pub, err := soft.PublicKey(all); err == nil {
		of, _ = x509.MarshalPKIXPublicKey(pub)
	}
	if len(of) == 0 {
		return nil
	}
	digest := sha256.Sum256(of)
	return digest[:]
}

// prove makes sure, inside a transaction and before the key is used, that a
// private or secret key on the card is the one that its handle stands for, where
// others may have replaced it since that was known. The first use of a secret key
// tells what it is known by.
func (c *Card) prove(ctx context.Context, e *entry, consent bool) error {
	if _, ok := c.backend.(driver.Prover); ok {
		return nil
	}
	r := c.record(e.ref)
	if r == nil {
		return ckr.New(ckr.KeyHandleInvalid, "", nil)
	}
	if e.obj.Class() == object.ClassSecretKey {
		if consent { // finding out would take it
			return nil
		}
		return c.proveSecret(ctx, e, r)
	}
	c.mu.Lock()
	open := r.wanted != nil && r.proved == nil
	c.mu.Unlock()
	if !open {
		return nil
	}
	all, err := c.backend.Read(ctx, e.ref)
	if err != nil {
		return err
	}
	c.mu.Lock()
	same := r.identify(all)
	c.mu.Unlock()
	if !same {
		c.replaced(e.ref)
		return ckr.Newf(ckr.KeyHandleInvalid, "", "another key has taken the place of this one")
	}
	return nil
}

// proveSecret compares a secret key's check value (CKA_CHECK_VALUE, PKCS #11 v3.2
// §4.9.1). A card that does not tell it leaves it open.
func (c *Card) proveSecret(ctx context.Context, e *entry, r *record) error {
	c.mu.Lock()
	known := r.check != nil
	c.mu.Unlock()
	if known {
		return nil
	}
	got, err := c.backend.Read(ctx, e.ref, object.AttrCheckValue.Type)
	if err != nil {
		return err
	}
	value, _ := object.In(got, object.AttrCheckValue)
	if len(value) == 0 {
		return nil
	}
	c.mu.Lock()
	same := r.checkWanted == nil || bytes.Equal(r.checkWanted, value)
	if same {
		r.check, r.checkWanted = value, value
	}
	c.mu.Unlock()
	if !same {
		c.replaced(e.ref)
		return ckr.Newf(ckr.KeyHandleInvalid, "", "another key has taken the place of this one")
	}
	return nil
}

// replaced voids the handles of an object whose place holds another one. The
// object that is there now is found by the next search.
func (c *Card) replaced(ref driver.Ref) {
	c.remove(ref)
	c.reload()
}
