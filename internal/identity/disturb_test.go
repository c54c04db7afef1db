package identity_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// disturber is the person or the foreign program: one of them at a time.
type disturber struct {
	*world
	name   string
	random *rand.Rand
}

// run disturbs until the steps are used up.
func (d *disturber) run(ctx context.Context, act func(ctx context.Context) error) {
	for {
		if d.pace.wait(ctx, d.name, true) != nil || !d.step() {
			return
		}
		d.disturbing <- struct{}{}
		err := act(ctx)
		<-d.disturbing
		switch ckr.Of(err) { // others have spent the tries meanwhile
		case ckr.PINLocked, ckr.PINIncorrect, ckr.UserNotLoggedIn:
			err = nil
		}
		if err != nil {
			d.judge.fail("the test itself failed", "%s: %v", d.name, err)
			return
		}
	}
}

// person moves cards, resets them, and sees to blocked PINs.
func (d *disturber) person(ctx context.Context) error {
	switch n := d.random.IntN(10); {
	case n < 2:
		return d.readers.Reset(d.full())
	case n < 6 && len(d.named) == 2:
		return d.swap(d.named[0], d.named[1])
	case n < 8:
		return d.exchange()
	}
	for _, c := range d.cards {
		if err := d.rescue(ctx, c, d.random.IntN(2) == 0); err != nil {
			return err
		}
	}
	return nil
}

// full returns a reader with a card.
func (d *disturber) full() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var full []string
	for _, name := range d.named {
		if d.where[name] != nil {
			full = append(full, name)
		}
	}
	return full[d.random.IntN(len(full))]
}

// swap puts the cards of two readers into each other's.
func (w *world) swap(a, b string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	x, y := w.where[a], w.where[b]
	for _, name := range []string{a, b} {
		if err := w.remove(name); err != nil {
			return err
		}
	}
	if err := w.insert(a, y); err != nil {
		return err
	}
	return w.insert(b, x)
}

// remove takes a card out, if there is one. The caller holds mu.
func (w *world) remove(reader string) error {
	if w.where[reader] == nil {
		return nil
	}
	delete(w.where, reader)
	return w.readers.Remove(reader)
}

// insert puts a card in, if there is one. The caller holds mu.
func (w *world) insert(reader string, c *card) error {
	if c == nil {
		return nil
	}
	c.moves++
	w.where[reader] = c
	return w.readers.Insert(reader, c.virtual)
}

// exchange takes a card out, and puts one in that is in no reader: another one
// if there is one, else itself.
func (d *disturber) exchange() error {
	name := d.full()
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.where[name]
	if err := d.remove(name); err != nil {
		return err
	}
	for _, other := range d.cards {
		if other != c && d.readerLocked(other) == "" {
			c = other
		}
	}
	return d.insert(name, c)
}

// rescue unblocks the PIN of a card that is in a reader, if it is blocked, or
// in any case if new.
func (w *world) rescue(ctx context.Context, c *card, fresh bool) error {
	reader := w.reader(c)
	c.mu.Lock()
	blocked, pin := c.left == 0, c.newPIN()
	c.mu.Unlock()
	if reader == "" || !blocked && !fresh {
		return nil
	}
	if c.kind.piv() {
		return w.other.foreign(ctx, c, reader, aidPIV, func(f *foreign) error { return f.unblock(pin) })
	}
	return w.library(ctx, c, reader, func(s *session.Session) error {
		if err := s.Login(ctx, token.SO, token.NewPIN([]byte(soPIN))); err != nil {
			return err
		}
		return s.InitPIN(ctx, token.NewPIN([]byte(pin)))
	})
}

// library runs f in a session of a program that uses this library for a moment.
func (w *world) library(ctx context.Context, c *card, reader string, f func(s *session.Session) error) error {
	p := w.other
	if err := p.open(ctx); err != nil {
		return err
	}
	defer p.module.Close()
	slots, err := p.module.Slots(ctx, true)
	if err != nil {
		return err
	}
	for _, s := range slots {
		if s.Info().Reader != reader {
			continue
		}
		t, err := s.Token(ctx)
		if err != nil {
			return err
		}
		x, err := session.Open(ctx, t, session.ReadWrite())
		if err != nil {
			return err
		}
		return f(x)
	}
	return fmt.Errorf("no slot in %s", reader)
}

// program is the foreign program, at the card in one of the readers.
func (d *disturber) program(ctx context.Context) error {
	reader := d.full()
	c, _ := d.in(reader)
	switch n := d.random.IntN(20); {
	case n < 3:
		return d.pins(ctx, c, reader, n)
	case n < 4:
		aid := aidNothing
		if c.kind.yubico() {
			aid = aidYubico
		}
		err := d.other.foreign(ctx, c, reader, aid, func(*foreign) error { return nil })
		if c.kind.yubico() {
			return err
		}
		return nil // it has no such application
	case c.kind == myEID:
		return d.rekey(ctx, c, reader)
	}
	return d.other.foreign(ctx, c, reader, aidPIV, func(f *foreign) error {
		if err := f.admin(); err != nil {
			return err
		}
		return d.change(f)
	})
}

// pins types PINs into the foreign program.
func (d *disturber) pins(ctx context.Context, c *card, reader string, n int) error {
	c.mu.Lock()
	old, new, left := c.pin, c.newPIN(), c.left
	if n == 0 && left > 1 {
		c.wrong[new] = 0
	}
	c.mu.Unlock()
	aid := aidPIV
	if c.kind == myEID {
		aid = nil
	}
	return d.other.foreign(ctx, c, reader, aid, func(f *foreign) error {
		switch {
		case left == 0:
			return nil
		case n == 0 && left > 1:
			d.other.types(new)
			return f.verify(new)
		case n == 1:
			return f.verify(old)
		}
		return f.change(old, new)
	})
}

// refs are the slots of PIV that the walk uses.
func (c *card) refs() []byte {
	if c.kind == yubiKey {
		return []byte{0x9A, 0x9C, 0x9D, 0x9E, 0x82, 0x83}
	}
	return []byte{0x9A, 0x9C, 0x9D, 0x9E}
}

// change changes a slot of PIV.
func (d *disturber) change(f *foreign) error {
	refs := f.c.refs()
	ref := refs[d.random.IntN(len(refs))]
	before := f.at(ref)
	var err error
	switch n := d.random.IntN(10); {
	case n < 3 && f.c.kind.yubico():
		var private any = newEC()
		steady := true
		if d.random.IntN(2) == 0 {
			if s := d.take(true); s != nil {
				private, steady = s.key, !s.used
			}
		}
		err = f.importKey(ref, private, steady)
	case n < 5 && f.c.kind == yubiKey:
		to := byte(0xFF)
		for _, r := range refs {
			if f.at(r).pub == nil && d.random.IntN(2) == 0 {
				to = r
			}
		}
		if before.pub == nil || to == ref {
			return nil
		}
		err = f.move(ref, to)
		if to != 0xFF {
			return err
		}
	case n < 7:
		return d.recertify(f, ref)
	default:
		err = f.generate(ref)
	}
	if err != nil {
		return err
	}
	d.giveBack(before.private)
	if d.random.IntN(4) > 0 {
		return f.store(ref, f.at(ref).pub)
	}
	return nil
}

// recertify replaces a certificate, by that of the slot's key, or of another,
// or by none.
func (d *disturber) recertify(f *foreign, ref byte) error {
	pub := f.at(ref).pub
	switch d.random.IntN(4) {
	case 0:
		pub = nil
	case 1:
		pub = publicOf(newEC())
	}
	return f.store(ref, pub)
}

func (f *foreign) at(ref byte) place {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	if p := f.c.places[ref]; p != nil {
		return *p
	}
	return place{}
}

// lost notes that a key of a MyEID card is gone.
func (c *card) lost(pub crypto.PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = slices.DeleteFunc(c.keys, func(k crypto.PublicKey) bool { return same(k, pub) })
}

// rekey replaces a key of a MyEID card by another one of the same name, or its
// certificate.
func (d *disturber) rekey(ctx context.Context, c *card, reader string) error {
	c.mu.Lock()
	pin, left := c.pin, c.left
	c.mu.Unlock()
	if left == 0 {
		return nil
	}
	id := byte(1 + 2*d.random.IntN(2)) // the P-256 keys
	keyToo := d.random.IntN(3) > 0
	return d.library(ctx, c, reader, func(s *session.Session) error {
		if err := s.Login(ctx, token.User, token.NewPIN([]byte(pin))); err != nil {
			return err
		}
		var dead []*object.Object
		var pub crypto.PublicKey
		for o, err := range s.Find(ctx, object.AttrID.Is([]byte{id})) {
			if err != nil {
				return err
			}
			if o.Class() == object.ClassCertificate || keyToo {
				dead = append(dead, o)
			}
			if o.Class() == object.ClassPrivateKey {
				if pub, err = s.PublicKey(ctx, o); err != nil {
					return err
				}
			}
		}
		for _, o := range dead {
			if err := s.Destroy(ctx, o); err != nil {
				return err
			}
			if o.Class() == object.ClassPrivateKey {
				c.lost(pub)
			}
		}
		if keyToo {
			made, err := generateKey(ctx, s, id)
			if err != nil {
				return err
			}
			c.mu.Lock()
			c.keys = append(c.keys, made)
			c.mu.Unlock()
			pub = made
		}
		cert, err := x509.ParseCertificate(certify(pub))
		if err != nil {
			return err
		}
		_, err = s.StoreCertificate(ctx, cert, object.AttrID.Is([]byte{id}), object.AttrLabel.Is(fmt.Sprint("key ", id)))
		return err
	})
}
