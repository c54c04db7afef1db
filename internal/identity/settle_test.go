package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"

	"github.com/go-cryptoki/cryptoki/session"
)

// mustWork reports whether a Key has no excuse: its key has been in its place
// all the time, on a card that is in a reader, and the card tells of it.
func (w *world) mustWork(k session.Key) bool {
	for _, c := range w.cards {
		if w.reader(c) == "" || c.alike && c.moves > 1 {
			continue
		}
		if c.shows(k.Public(), true) {
			return true
		}
	}
	return false
}

// shows reports whether a card has a private key and tells so; with steady, one
// that nobody has touched.
func (c *card) shows(pub crypto.PublicKey, steady bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.keys {
		if same(k, pub) {
			return true
		}
	}
	for _, p := range c.places {
		if same(p.pub, pub) && (p.steady || !steady) && c.tells(p) {
			return true
		}
	}
	return false
}

// tells reports whether a card tells of the key in a slot: some tell of it by
// the certificate alone.
func (c *card) tells(p *place) bool {
	switch c.kind {
	case yubiKey:
		return true
	case oldYubiKey:
		return same(p.cert, p.pub) || p.cert == nil && p.local
	}
	return same(p.cert, p.pub)
}

// complete checks that all keys of the cards in readers are among those that
// the library finds.
func (w *world) complete(p *process, got []session.Key) {
	found := func(pub crypto.PublicKey) bool {
		for _, k := range got {
			if same(k.Public(), pub) {
				return true
			}
		}
		return false
	}
	for _, c := range w.cards {
		if w.reader(c) == "" {
			continue
		}
		var pubs []crypto.PublicKey
		c.mu.Lock()
		pubs = append(pubs, c.keys...)
		for _, place := range c.places {
			if place.pub != nil && c.tells(place) {
				pubs = append(pubs, place.pub)
			}
		}
		c.mu.Unlock()
		for _, pub := range pubs {
			if !found(pub) {
				w.judge.fail("Keys does not find a key", "%s: %s of %s, of %d", p.name, short(pub), c.name, len(got))
			}
		}
	}
}

func short(pub crypto.PublicKey) string {
	if p, ok := pub.(*ecdsa.PublicKey); ok {
		b, _ := p.Bytes()
		return fmt.Sprintf("P-256 %x", b[1:5])
	}
	return "RSA"
}
