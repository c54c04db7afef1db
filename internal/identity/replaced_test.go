package identity_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// use is one way to use a key.
type use struct {
	name   string
	ref    byte // the slot that is used so
	rsa    bool
	key    func(r *rig, k session.Key) error
	handle func(r *rig, u *user, h handle) error
}

var uses = []use{
	{"sign", 0x9A, false, (*rig).signs, (*rig).handleSigns},
	{"sign by RSA", 0x9D, true, (*rig).signs, (*rig).handleSigns},
	{"decrypt", 0x9D, true, (*rig).decrypts, (*rig).handleDecrypts},
	{"agree", 0x9D, false, (*rig).agrees, (*rig).handleAgrees},
	{"sign with consent", 0x9C, false, (*rig).signs, (*rig).handleSigns},
	{"sign without a PIN", 0x9E, false, (*rig).signs, (*rig).handleSigns},
}

func (r *rig) signs(k session.Key) error {
	digest := sha256.Sum256([]byte("signed"))
	sig, err := k.SignContext(r.ctx, digest[:], crypto.SHA256)
	if err == nil && !verifies(k.Public(), digest[:], sig) {
		r.Error("the signature does not verify under the Key's public key")
	}
	return err
}

func (r *rig) decrypts(k session.Key) error {
	_, err := decryptBy(r.judge, "the Key", k.Public().(*rsa.PublicKey), true, func(_ mechanism.Mechanism, c []byte) ([]byte, error) {
		return k.(crypto.Decrypter).Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256})
	})
	return err
}

func (r *rig) agrees(k session.Key) error {
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok {
		return fmt.Errorf("a Key of %T does not agree", k.Public())
	}
	return agreeBy(r.judge, "the Key", pub, func(peer *ecdh.PublicKey) ([]byte, error) {
		return k.(ecdh.KeyExchanger).ECDH(peer)
	})
}

func (r *rig) handleSigns(u *user, h handle) error {
	digest := sha256.Sum256([]byte("signed"))
	if pub, ok := h.pub.(*rsa.PublicKey); ok {
		sig, err := u.s.Sign(r.ctx, mechanism.RSAPKCS{Hash: crypto.SHA256}, h.o, []byte("signed"))
		if err == nil && !verifies(pub, digest[:], sig) {
			r.Error("the signature does not verify under the public key that the handle told")
		}
		return err
	}
	sig, err := u.sign(r.ctx, h.o, digest[:])
	if err == nil && !verifiesRaw(h.pub.(*ecdsa.PublicKey), digest[:], sig) {
		r.Error("the signature does not verify under the public key that the handle told")
	}
	return err
}

func (r *rig) handleDecrypts(u *user, h handle) error {
	_, err := decryptBy(r.judge, "the handle", h.pub.(*rsa.PublicKey), true, func(m mechanism.Mechanism, c []byte) ([]byte, error) {
		return u.s.Decrypt(r.ctx, m, h.o, c)
	})
	return err
}

func (r *rig) handleAgrees(u *user, h handle) error {
	return agreeBy(r.judge, "the handle", h.pub.(*ecdsa.PublicKey), func(peer *ecdh.PublicKey) ([]byte, error) {
		return u.derive(r.ctx, h.o, peer)
	})
}

// way is one way to replace the key in a slot of PIV.
type way struct {
	name  string
	kinds []kind
	do    func(r *rig, c *card, ref byte)
}

var ways = []way{
	{"generated", []kind{yubiKey, oldYubiKey, nistPIV, noCHUID}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error { return f.generate(ref) })
	}},
	{"generated, with a certificate", []kind{yubiKey, oldYubiKey, nistPIV, noCHUID}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error {
			if err := f.generate(ref); err != nil {
				return err
			}
			return f.store(ref, f.at(ref).pub)
		})
	}},
	{"imported", []kind{yubiKey, oldYubiKey}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error { return f.importKey(ref, r.like(c, ref), true) })
	}},
	{"imported, with a certificate", []kind{yubiKey, oldYubiKey}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error {
			if err := f.importKey(ref, r.like(c, ref), true); err != nil {
				return err
			}
			return f.store(ref, f.at(ref).pub)
		})
	}},
	{"moved", []kind{yubiKey}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error {
			if err := f.importKey(0x84, r.like(c, ref), true); err != nil {
				return err
			}
			if err := f.move(ref, 0xFF); err != nil {
				return err
			}
			return f.move(0x84, ref)
		})
	}},
	{"destroyed", []kind{yubiKey}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error { return f.move(ref, 0xFF) })
	}},
	{"destroyed, with the certificate", []kind{yubiKey}, func(r *rig, c *card, ref byte) {
		r.admin(c, func(f *foreign) error {
			if err := f.store(ref, nil); err != nil {
				return err
			}
			return f.move(ref, 0xFF)
		})
	}},
}

// like makes a key of the type of the one in a slot.
func (r *rig) like(c *card, ref byte) any {
	if _, ok := c.placeOf(ref).pub.(*rsa.PublicKey); ok {
		return r.take(false).key
	}
	return newEC()
}

// eachReplacement runs f for each use of a key that a foreign program replaces
// in a slot of PIV, in each way, on each kind of card.
func eachReplacement(t *testing.T, f func(r *rig, c *card, u use, replace func())) {
	for _, k := range []kind{yubiKey, oldYubiKey, nistPIV, noCHUID} {
		for _, u := range uses {
			for _, way := range ways {
				fits := false
				for _, x := range way.kinds {
					fits = fits || x == k
				}
				if !fits {
					continue
				}
				t.Run(fmt.Sprintf("%v/%s/%s", k, u.name, way.name), func(t *testing.T) {
					r := newRigOf(t, cast{kinds: []kind{k}, rsa: u.rsa, ec: !u.rsa}, 1)
					c := r.cards[0]
					f(r, c, u, func() { way.do(r, c, u.ref) })
				})
			}
		}
	}
}

// A Key whose key was replaced says so: it never answers with another key.
func TestKeyIsReplacedBehindAKey(t *testing.T) {
	eachReplacement(t, func(r *rig, c *card, u use, replace func()) {
		k := r.key(fmt.Sprintf("pkcs11:id=%%%02X", idOf(u.ref)))
		r.must(u.key(r, k))
		replace()
		for range 2 {
			err := u.key(r, k)
			if err == nil {
				r.Error("the Key works, and its key is not there")
			}
			r.judge.excuse(u.name, err)
		}
	})
}

// A handle whose key was replaced says so.
func TestKeyIsReplacedBehindAHandle(t *testing.T) {
	eachReplacement(t, func(r *rig, c *card, u use, replace func()) {
		s := r.session(c, true)
		x := &user{process: r.p, name: "user", s: s, card: c}
		h, err := x.read(r.ctx, r.one(s, object.ClassPrivateKey, idOf(u.ref)))
		r.must(err)
		r.must(u.handle(r, x, h))
		replace()
		for range 2 {
			err := u.handle(r, x, h)
			if err == nil {
				r.Error("the handle works, and its key is not there")
			}
			r.judge.excuse(u.name, err)
		}
	})
}

// Between the beginning of an operation and its end a key may go as well.
func TestKeyIsReplacedInAnOperation(t *testing.T) {
	for _, k := range []kind{yubiKey, oldYubiKey, nistPIV, noCHUID} {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, false, 1, k)
			c := r.cards[0]
			s := r.session(c, true)
			o := r.one(s, object.ClassPrivateKey, idOf(0x9A))
			pub, err := s.PublicKey(r.ctx, o)
			r.must(err)
			_, err = s.Sign(r.ctx, mechanism.ECDSA{Hash: crypto.SHA256}, o, []byte("signed")) // it was good once
			r.must(err)
			op, err := s.NewSign(r.ctx, mechanism.ECDSA{Hash: crypto.SHA256}, o)
			r.must(err)
			defer op.Close()
			_, err = op.Write([]byte("signed"))
			r.must(err)
			r.admin(c, func(f *foreign) error { return f.generate(0x9A) })
			sig, err := op.Sum(r.ctx)
			digest := sha256.Sum256([]byte("signed"))
			if err == nil && !verifiesRaw(pub.(*ecdsa.PublicKey), digest[:], sig) {
				r.Error("the signature does not verify under the public key that the handle told")
			}
			r.judge.excuse("sign", err)
		})
	}
}

// A Key whose key is put back works again, also after many errors.
func TestKeyComesBack(t *testing.T) {
	for _, k := range []kind{yubiKey, oldYubiKey} {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, false, 1, k)
			c := r.cards[0]
			was := c.placeOf(0x9A).private
			key := r.key("pkcs11:id=%01")
			r.must(r.signs(key))
			r.admin(c, func(f *foreign) error { return f.generate(0x9A) })
			r.judge.excuse("sign", r.signs(key))
			r.admin(c, func(f *foreign) error { return f.importKey(0x9A, was, false) })
			if err := r.signs(key); err != nil {
				r.Errorf("the key is back, and the Key does not work: %v", err)
			}
		})
	}
}

// On a card of PKCS #15 a key is replaced by another program that uses this
// library, under the same id and label. The second program that does so uses the
// file again that the first one has emptied.
func TestKeyIsReplacedOnMyEID(t *testing.T) {
	replace := func(r *rig, id byte, with func(r *rig) any) {
		c := r.cards[0]
		c.mu.Lock()
		pin := c.pin
		c.mu.Unlock()
		for range 2 {
			r.must(r.library(r.ctx, c, r.reader(c), func(s *session.Session) error {
				r.other.types(pin)
				if err := s.Login(r.ctx, token.User, token.NewPIN([]byte(pin))); err != nil {
					return err
				}
				for _, class := range []object.Class{object.ClassPrivateKey, object.ClassPublicKey, object.ClassCertificate} {
					if o, err := one(r.ctx, s, class, id); err == nil {
						if err := s.Destroy(r.ctx, o); err != nil {
							return err
						}
					}
				}
				if private := with(r); private != nil {
					return storeKey(r.ctx, s, id, private)
				}
				_, err := generateKey(r.ctx, s, id)
				return err
			}))
		}
	}
	for _, x := range []struct {
		name string
		id   byte
		key  func(r *rig, k session.Key) error
		with func(r *rig) any
		by   func(r *rig, u *user, h handle) error
	}{
		{"sign, generated", 1, (*rig).signs, func(*rig) any { return nil }, (*rig).handleSigns},
		{"sign, imported", 1, (*rig).signs, func(*rig) any { return newEC() }, (*rig).handleSigns},
		{"agree, generated", 3, (*rig).agrees, func(*rig) any { return nil }, (*rig).handleAgrees},
		{"sign by RSA, imported", 2, (*rig).signs, func(r *rig) any { return r.take(false).key }, (*rig).handleSigns},
		{"decrypt, imported", 2, (*rig).decrypts, func(r *rig) any { return r.take(false).key }, (*rig).handleDecrypts},
	} {
		t.Run("Key/"+x.name, func(t *testing.T) {
			r := newRig(t, false, 1, myEID)
			k := r.key(fmt.Sprintf("pkcs11:id=%%%02X", x.id))
			r.must(x.key(r, k))
			replace(r, x.id, x.with)
			err := x.key(r, k)
			if err == nil {
				r.Error("the Key works, and its key is not there")
			}
			r.judge.excuse(x.name, err)
		})
		t.Run("handle/"+x.name, func(t *testing.T) {
			r := newRig(t, false, 1, myEID)
			c := r.cards[0]
			s := r.session(c, true)
			u := &user{process: r.p, name: "user", s: s, card: c}
			h, err := u.read(r.ctx, r.one(s, object.ClassPrivateKey, x.id))
			r.must(err)
			r.must(x.by(r, u, h))
			replace(r, x.id, x.with)
			err = x.by(r, u, h)
			if err == nil {
				r.Error("the handle works, and its key is not there")
			}
			r.judge.excuse(x.name, err)
		})
	}
}

// A unique id stands for what an object is, not for its place.
func TestUniqueIDChangesWithWhatIsInThePlace(t *testing.T) {
	uid := func(r *rig, s *session.Session, class object.Class, id byte) string {
		v, err := object.Get(r.ctx, r.one(s, class, id), object.AttrUniqueID)
		r.must(err)
		return v
	}
	classes := []object.Class{object.ClassPrivateKey, object.ClassPublicKey, object.ClassCertificate}
	for _, k := range []kind{yubiKey, oldYubiKey, nistPIV, noCHUID} {
		for _, class := range classes {
			t.Run(fmt.Sprintf("%v/%v", k, class), func(t *testing.T) {
				r := newRig(t, false, 1, k)
				c := r.cards[0]
				s := r.session(c, true)
				before := uid(r, s, class, 1)
				if again := uid(r, s, class, 1); again != before {
					r.Errorf("it is %s, and then %s", before, again)
				}
				r.admin(c, func(f *foreign) error {
					if err := f.generate(0x9A); err != nil {
						return err
					}
					return f.store(0x9A, f.at(0x9A).pub)
				})
				if after := uid(r, s, class, 1); after == before {
					r.Errorf("two objects have the unique id %s", after)
				}
			})
		}
	}
}

// A handle of a certificate, or of an attestation, does not become another one.
func TestCertificateIsReplacedBehindAHandle(t *testing.T) {
	for _, k := range []kind{yubiKey, oldYubiKey, nistPIV, noCHUID} {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, false, 1, k)
			c := r.cards[0]
			s := r.session(c, false)
			o := r.one(s, object.ClassCertificate, 1)
			value := func() (*x509.Certificate, error) {
				der, err := object.Get(r.ctx, o, object.AttrValue)
				if err != nil {
					return nil, err
				}
				return x509.ParseCertificate(der)
			}
			before, err := value()
			r.must(err)
			r.admin(c, func(f *foreign) error { return f.store(0x9A, f.at(0x9A).pub) })
			r.one(s, object.ClassCertificate, 2) // looks at the card
			after, err := value()
			if err == nil && !after.Equal(before) {
				r.Error("the handle has become another certificate")
			}
			r.judge.excuse("read", err)
		})
	}
}
