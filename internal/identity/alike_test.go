package identity_test

import (
	"crypto"
	"fmt"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/session"
)

// kinds of cards of which two can have one serial number.
var allKinds = []kind{noCHUID, nistPIV, yubiKey, oldYubiKey, myEID}

// pins checks that each card has got its own PIN alone: the cards look at it.
func (r *rig) pins() {
	r.Helper()
	for _, c := range r.cards {
		if r.tries(c) != c.most {
			r.Errorf("%s has %d tries left of %d, and nobody typed a wrong PIN", c.name, r.tries(c), c.most)
		}
	}
}

// Two cards that look alike, in two readers, are two: all keys of both are found,
// and work.
func TestKeysOfTwoCardsThatLookAlike(t *testing.T) {
	for _, k := range allKinds {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, true, 2, k, k)
			var got []session.Key
			for key, err := range r.p.module.Keys(r.ctx, "pkcs11:") {
				if err != nil {
					t.Errorf("Keys: %v", err)
					continue
				}
				got = append(got, key)
				if err := r.signs(key); err != nil && r.agrees(key) != nil {
					t.Errorf("a Key does not work: %v", err)
				}
			}
			r.complete(r.p, got)
			for i, x := range got {
				for _, y := range got[:i] {
					if same(x.Public(), y.Public()) {
						t.Errorf("Keys yields %s twice", short(x.Public()))
					}
				}
			}
			r.pins()
		})
	}
}

// A slot-id reaches the card in that slot, whatever it looks like.
func TestSlotIDReachesEachOfTwoCardsThatLookAlike(t *testing.T) {
	for _, k := range allKinds {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, true, 2, k, k)
			slots, err := r.p.module.Slots(r.ctx, true)
			r.must(err)
			if len(slots) != 2 {
				t.Fatalf("%d slots", len(slots))
			}
			for _, s := range slots {
				c, _ := r.in(s.Info().Reader)
				key, err := r.p.module.Key(r.ctx, fmt.Sprintf("pkcs11:slot-id=%d;id=%%01", s.ID()))
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
					continue
				}
				if !holds(c, key.Public()) {
					t.Errorf("slot %d gives a key that is not on %s", s.ID(), c.name)
				}
				if err := r.signs(key); err != nil {
					t.Errorf("the key in slot %d does not work: %v", s.ID(), err)
				}
				cert, err := r.p.module.Certificate(r.ctx, fmt.Sprintf("pkcs11:slot-id=%d;id=%%01;type=cert", s.ID()))
				if err != nil {
					t.Errorf("%s: %v", c.name, err)
				} else if !holds(c, cert.PublicKey) {
					t.Errorf("slot %d gives a certificate that is not on %s", s.ID(), c.name)
				}
			}
			r.pins()
		})
	}
}

func holds(c *card, pub crypto.PublicKey) bool {
	for _, p := range c.pubs() {
		if same(p, pub) {
			return true
		}
	}
	return false
}

// A Key of a card whose place another one takes that looks alike does not sign
// with that one's, and its PIN stays away.
func TestAnotherCardThatLooksAlikeTakesTheReader(t *testing.T) {
	for _, k := range allKinds {
		for _, id := range []byte{1, 2} { // 2 needs the PIN each time on PIV cards
			t.Run(fmt.Sprintf("%v/%d", k, id), func(t *testing.T) {
				r := newRig(t, true, 1, k, k)
				first := r.cards[0]
				key := r.key(fmt.Sprintf("pkcs11:id=%%%02X", id))
				r.must(r.signs(key))
				r.exchanged(1)
				err := r.signs(key)
				if err == nil {
					t.Error("the Key works, and its card is not there")
				}
				r.judge.excuse("sign", err)
				r.pins()
				// The other one's keys are found beside.
				other := r.key(fmt.Sprintf("pkcs11:id=%%%02X", id))
				if !holds(r.cards[1], other.Public()) {
					t.Error("a Key of the second card is not its")
				}
				if err := r.signs(other); err != nil {
					t.Errorf("a Key of the second card does not work: %v", err)
				}
				r.exchanged(0)
				if err := r.signs(key); err != nil && first.serial != "0" {
					t.Errorf("the card is back, and the Key does not work: %v", err)
				}
				if err := r.signs(other); err == nil {
					t.Error("the Key of the second card works, and it is not there")
				}
				r.pins()
			})
		}
	}
}

// exchanged takes the card out of the only reader and puts another one in.
func (r *rig) exchanged(i int) {
	r.Helper()
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.must(r.remove(r.named[0]))
	r.must(r.insert(r.named[0], r.cards[i]))
}

// Two cards that look alike are swapped between two readers.
func TestTwoCardsThatLookAlikeAreSwapped(t *testing.T) {
	for _, k := range allKinds {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, true, 2, k, k)
			var keys []session.Key
			for key, err := range r.p.module.Keys(r.ctx, "pkcs11:") {
				r.must(err)
				keys = append(keys, key)
			}
			for range 3 {
				r.must(r.swap(r.named[0], r.named[1]))
				for _, key := range keys {
					_ = r.signs(key)
				}
				r.pins()
			}
		})
	}
}

// The person who is asked for a PIN is told which of two cards that look alike
// is meant.
func TestPINRequestTellsTwoCardsApart(t *testing.T) {
	for _, k := range allKinds {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, true, 2, k, k)
			for _, err := range r.p.module.Keys(r.ctx, "pkcs11:") {
				r.must(err)
			}
			seen := make(map[string]bool)
			for _, q := range r.asks() {
				reader := r.p.readerOf(r.ctx, q)
				if reader == "" {
					t.Errorf("%+v does not tell the reader", q)
				}
				seen[reader] = true
			}
			if len(seen) != 2 {
				t.Errorf("PINs were asked for %v", seen)
			}
			r.pins()
		})
	}
}

// A PIN that the cache holds for one of two cards that look alike does not go to
// the other one, also when both use one Key after the other for long.
func TestCachedPINStaysWithItsCard(t *testing.T) {
	for _, k := range allKinds {
		for _, cache := range []struct {
			name string
			is   cryptoki.PINCache
		}{{"until logout", cryptoki.CacheUntilLogout()}, {"one operation", cryptoki.CacheOneOperation()}, {"never", cryptoki.CacheNever()}} {
			t.Run(fmt.Sprintf("%v/%s", k, cache.name), func(t *testing.T) {
				r := newRig(t, true, 1, k, k)
				r.p = r.process(cryptoki.WithPINCache(cache.is))
				for i := range 4 {
					r.exchanged(i % 2)
					key := r.key("pkcs11:id=%01")
					if !holds(r.cards[i%2], key.Public()) {
						t.Error("the Key is the other card's")
					}
					if err := r.signs(key); err != nil {
						t.Errorf("the Key does not work: %v", err)
					}
					r.pins()
				}
			})
		}
	}
}

// A card that looks alike was taken for a Key's, because it shows nothing of that
// place, and has got its own PIN. The Key's own card, put in again, does not get
// that one.
func TestPINOfACardThatWasTakenForAnother(t *testing.T) {
	for _, k := range []kind{nistPIV, oldYubiKey} {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, true, 1, k, k)
			r.exchanged(1)
			r.admin(r.cards[1], func(f *foreign) error { return f.store(0x9A, nil) })
			r.exchanged(0)
			key := r.key("pkcs11:id=%01")
			r.must(r.signs(key))
			r.exchanged(1)
			r.asks()
			if err := r.signs(key); err == nil {
				t.Error("the Key works, and its card is not there")
			}
			if len(r.asks()) == 0 {
				t.Error("the second card's PIN was not asked for")
			}
			r.exchanged(0)
			if err := r.signs(key); err != nil {
				t.Errorf("the card is back, and the Key does not work: %v", err)
			}
			r.pins()
		})
	}
}
