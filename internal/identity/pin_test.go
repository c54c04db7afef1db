package identity_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// The card authentication key needs no PIN: none is asked for, and it works
// while the PIN is blocked.
func TestCardAuthenticationKeyNeedsNoPIN(t *testing.T) {
	for _, k := range []kind{yubiKey, oldYubiKey, nistPIV, noCHUID} {
		for _, blocked := range []bool{false, true} {
			for _, uri := range []string{"pkcs11:id=%04", "pkcs11:id=%04;type=private", "pkcs11:id=%04;type=cert", "pkcs11:id=%04;type=public"} {
				t.Run(fmt.Sprintf("%v/blocked %v/%s", k, blocked, uri), func(t *testing.T) {
					r := newRig(t, false, 1, k)
					c := r.cards[0]
					if blocked {
						r.spend(c, 0)
					}
					key := r.key(uri)
					if !same(key.Public(), c.placeOf(0x9E).pub) {
						t.Error("it is another key")
					}
					r.must(r.signs(key))
					if list := r.asks(); len(list) > 0 {
						t.Errorf("a PIN was asked for: %+v", list)
					}
				})
			}
		}
	}
}

// With nobody to ask, the keys that need no PIN are found, and the error of the
// others says that there is nobody.
func TestKeysWithNobodyToAsk(t *testing.T) {
	for _, k := range []kind{yubiKey, oldYubiKey, nistPIV, noCHUID} {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, false, 1, k)
			p := newProcess(r.world, "nobody")
			var err error
			p.module, err = cryptoki.Open(r.ctx, cryptoki.WithProvider(p.wire()))
			r.must(err)
			defer p.module.Close()
			found := 0
			for key, err := range p.module.Keys(r.ctx, "pkcs11:") {
				if err != nil {
					if ckr.Of(err) != ckr.UserNotLoggedIn {
						t.Errorf("Keys: %v", err)
					}
					continue
				}
				found++
				r.must(r.signs(key))
			}
			if found != 1 {
				t.Errorf("%d keys, want the one that needs no PIN", found)
			}
			_, err = p.module.Key(r.ctx, "pkcs11:id=%01")
			if ckr.Of(err) != ckr.UserNotLoggedIn {
				t.Errorf("a key that needs the PIN: %v", err)
			}
		})
	}
}

// A key that needs no PIN is not CKA_PRIVATE: sessions find it, and use it,
// without a login. A YubiKey says so of keys in any slot.
func TestKeysThatNeedNoPINArePublic(t *testing.T) {
	for _, x := range []struct {
		kind kind
		ref  byte
		set  bool // the policy is set as the key is imported
	}{
		{yubiKey, 0x9E, false}, {oldYubiKey, 0x9E, false}, {nistPIV, 0x9E, false}, {noCHUID, 0x9E, false},
		{yubiKey, 0x9A, true}, {yubiKey, 0x9C, true}, {yubiKey, 0x82, true},
	} {
		t.Run(fmt.Sprintf("%v/%02X", x.kind, x.ref), func(t *testing.T) {
			r := newRig(t, false, 1, x.kind)
			c := r.cards[0]
			if x.set {
				r.admin(c, func(f *foreign) error { return f.importKey(x.ref, newEC(), true, 1) })
			}
			s := r.session(c, false)
			o := r.one(s, object.ClassPrivateKey, idOf(x.ref))
			private, err := object.Get(r.ctx, o, object.AttrPrivate)
			r.must(err)
			if private {
				t.Error("CKA_PRIVATE is true")
			}
			u := &user{process: r.p, name: "user", s: s, card: c}
			h, err := u.read(r.ctx, o)
			r.must(err)
			r.must(r.handleSigns(u, h))
			key := r.key(fmt.Sprintf("pkcs11:id=%%%02X", idOf(x.ref)))
			r.must(r.signs(key))
			if list := r.asks(); len(list) > 0 {
				t.Errorf("a PIN was asked for: %+v", list)
			}
		})
	}
}

// A YubiKey's key in slot 9E that does need the PIN is private.
func TestCardAuthenticationKeyThatNeedsThePIN(t *testing.T) {
	r := newRig(t, false, 1, yubiKey)
	c := r.cards[0]
	r.admin(c, func(f *foreign) error { return f.importKey(0x9E, newEC(), true, 2) })
	if o, err := one(r.ctx, r.session(c, false), object.ClassPrivateKey, 4); err == nil {
		t.Errorf("%v is found without a login", o)
	}
	r.must(r.signs(r.key("pkcs11:id=%04")))
	if list := r.asks(); len(list) != 1 {
		t.Errorf("a PIN was asked for %d times", len(list))
	}
}

// A key whose policy another program changes: with the new one comes a new key.
func TestPolicyChangesBehindAKey(t *testing.T) {
	for _, policies := range [][2]byte{{1, 2}, {1, 3}, {2, 1}, {2, 3}, {3, 1}, {3, 2}} {
		t.Run(fmt.Sprint(policies), func(t *testing.T) {
			r := newRig(t, false, 1, yubiKey)
			c := r.cards[0]
			private := newEC()
			r.admin(c, func(f *foreign) error { return f.importKey(0x9A, private, true, policies[0]) })
			key := r.key("pkcs11:id=%01")
			r.must(r.signs(key))
			r.admin(c, func(f *foreign) error { return f.importKey(0x9A, private, true, policies[1]) })
			// It is the same key still: the Key works, or says that it does not.
			r.judge.excuse("sign", r.signs(key))
			r.must(r.signs(r.key("pkcs11:id=%01")))
			r.pins()
		})
	}
}

// cachedKinds have PINs that a cache can hold.
var cachedKinds = []kind{yubiKey, oldYubiKey, nistPIV, noCHUID, myEID}

// The PIN is changed elsewhere: the cached one is refused once, and the person
// is asked in the same call, and told why.
func TestCachedPINIsChangedElsewhere(t *testing.T) {
	for _, k := range cachedKinds {
		for _, id := range []byte{1, 2} { // 2 needs the PIN each time on PIV cards
			t.Run(fmt.Sprintf("%v/%d", k, id), func(t *testing.T) {
				r := newRig(t, false, 1, k)
				c := r.cards[0]
				key := r.key(fmt.Sprintf("pkcs11:id=%%%02X", id))
				r.must(r.signs(key))
				first := r.asks()
				if len(first) == 0 {
					t.Fatal("no PIN was asked for")
				}
				r.changePIN(c)
				r.must(r.readers.Reset(r.reader(c)))
				before := r.p.sentFromMemory()
				if err := r.signs(key); err != nil {
					t.Errorf("the person knows the new PIN, and the Key does not work: %v", err)
				}
				if n := r.p.sentFromMemory() - before; n > 1 {
					t.Errorf("the old PIN was sent %d times", n)
				}
				again := r.asks()
				if len(again) != 1 {
					t.Fatalf("a PIN was asked for %d times", len(again))
				}
				r.told(first[0], again[0], r.p.sentFromMemory() > before, c.most-1)
				// The new one is remembered.
				r.must(r.readers.Reset(r.reader(c)))
				r.must(r.signs(key))
				if n := len(r.asks()); n > 0 {
					t.Errorf("a PIN was asked for %d times more", n)
				}
				r.pins()
			})
		}
	}
}

// told checks that a request says that the cached PIN was refused, if it was
// sent, and how many tries are left.
func (r *rig) told(first, again token.PINRequest, refused bool, left int) {
	r.Helper()
	if !refused {
		return
	}
	if !again.Tries.Known || again.Tries.Left != left {
		r.Errorf("the request tells %+v, and %d tries are left", again.Tries, left)
	}
	// A field that is not about the tries tells of the refusal.
	was, is := reflect.ValueOf(first), reflect.ValueOf(again)
	for i := range was.NumField() {
		switch f := was.Type().Field(i); f.Name {
		case "Tries", "Token", "Key", "Slot", "Reader":
		default:
			if !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
				return
			}
		}
	}
	r.Errorf("the request does not tell that the PIN of the cache was refused: %+v", again)
}

// sentFromMemory is how often a PIN was sent that is not right any more, and
// that nobody typed for it.
func (p *process) sentFromMemory() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, times := range p.refused {
		n += times
	}
	return n
}

// With one try left nothing comes from a cache: the person decides.
func TestLastTryIsThePersons(t *testing.T) {
	for _, k := range cachedKinds {
		for _, id := range []byte{1, 2} {
			t.Run(fmt.Sprintf("%v/%d", k, id), func(t *testing.T) {
				r := newRig(t, false, 1, k)
				c := r.cards[0]
				key := r.key(fmt.Sprintf("pkcs11:id=%%%02X", id))
				r.must(r.signs(key))
				r.asks()
				r.changePIN(c)
				r.spend(c, 1)
				r.must(r.readers.Reset(r.reader(c)))
				err := r.signs(key) // the judge of the card sees who sends what
				r.judge.excuse("sign", err)
				switch list := r.asks(); {
				case err != nil:
					t.Errorf("the person knows the new PIN, and the Key does not work: %v", err)
				case len(list) != 1:
					t.Errorf("a PIN was asked for %d times", len(list))
				case !list[0].Tries.Known || list[0].Tries.Left != 1:
					t.Errorf("the request tells %+v, and one try is left", list[0].Tries)
				}
				if n := r.p.sentFromMemory(); n > 0 {
					t.Errorf("the old PIN was sent %d times", n)
				}
			})
		}
	}
}

// A person who declines after the refusal has lost one try, not more, however
// often the Key is used.
func TestCachedPINIsRefusedOnce(t *testing.T) {
	for _, k := range cachedKinds {
		t.Run(k.String(), func(t *testing.T) {
			r := newRig(t, false, 1, k)
			c := r.cards[0]
			declines := false
			p := newProcess(r.world, "process")
			var err error
			p.module, err = cryptoki.Open(r.ctx, cryptoki.WithProvider(p.wire()), cryptoki.WithPINCache(cryptoki.CacheUntilLogout()),
				cryptoki.WithPIN(func(ctx context.Context, q token.PINRequest) (token.PIN, error) {
					if declines {
						return token.PIN{}, errors.New("not now")
					}
					return p.ask(ctx, q)
				}))
			r.must(err)
			defer p.module.Close()
			r.p = p
			key := r.key("pkcs11:id=%01")
			r.must(r.signs(key))
			r.changePIN(c)
			declines = true
			digest := sha256.Sum256(nil)
			for range 4 {
				r.must(r.readers.Reset(r.reader(c)))
				_, err := key.SignContext(r.ctx, digest[:], crypto.SHA256)
				if err == nil {
					t.Error("it works without a PIN")
				}
				r.judge.excuse("sign", err)
			}
			if left := r.tries(c); left < c.most-1 {
				t.Errorf("%d tries are left of %d", left, c.most)
			}
			declines = false
			if err := r.signs(key); err != nil {
				t.Errorf("the person types the PIN, and the Key does not work: %v", err)
			}
		})
	}
}

// An old PIN that is refused in a session is forgotten by the Keys of the
// process, too: the card sees it once.
func TestPINThatIsRefusedElsewhereIsForgotten(t *testing.T) {
	for _, k := range cachedKinds {
		for _, id := range []byte{1, 2} {
			t.Run(fmt.Sprintf("%v/%d", k, id), func(t *testing.T) {
				r := newRig(t, false, 1, k)
				c := r.cards[0]
				key := r.key(fmt.Sprintf("pkcs11:id=%%%02X", id))
				r.must(r.signs(key))
				r.asks()
				c.mu.Lock()
				old := c.pin
				c.mu.Unlock()
				r.changePIN(c)
				r.must(r.readers.Reset(r.reader(c)))
				r.p.types(old)
				if err := r.session(c, false).Login(r.ctx, token.User, token.NewPIN([]byte(old))); ckr.Of(err) != ckr.PINIncorrect {
					t.Fatalf("the old PIN in a session: %v", err)
				}
				if err := r.signs(key); err != nil {
					t.Errorf("the person knows the new PIN, and the Key does not work: %v", err)
				}
				if n := r.p.sentFromMemory(); n > 0 {
					t.Errorf("the old PIN was sent %d times more", n)
				}
				if list := r.asks(); len(list) != 1 || !list[0].CacheRefused {
					t.Errorf("the person was asked by %+v, want one request that tells of the refusal", list)
				}
				r.pins()
			})
		}
	}
}
