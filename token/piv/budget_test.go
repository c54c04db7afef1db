package piv_test

import (
	"context"
	"crypto"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// filled returns a card with a key and a certificate in each of the four
// slots, RSA-2048 in 9A and 9D and P-256 in 9C and 9E, to a program that has
// just been started.
func filled(t *testing.T, p virtual.PIVPersona) *rig {
	t.Helper()
	r := newRig(t, virtual.WithPIV(p))
	s := r.user(adminHex)
	for id := byte(1); id <= 4; id++ {
		m, what := mechanism.Mechanism(mechanism.RSAKeyPairGen{}), object.AttrModulusBits.Is(2048)
		if id%2 == 0 {
			m, what = mechanism.ECKeyPairGen{}, params("P-256")
		}
		with := onToken.With(object.AttrID.Is([]byte{id}))
		_, priv, err := s.GenerateKeyPair(t.Context(), m, with.With(what), with.With(object.AttrPrivate.Is(id != 4)))
		r.must(err)
		key, err := s.Key(t.Context(), priv, session.WithConsent(consent))
		r.must(err)
		r.store(s, key, id)
	}
	if p.Version[0] > 0 { // a YubiKey says how many retired keys there are if it is told
		_, err := s.Create(t.Context(), onToken.With(object.AttrClass.Is(object.ClassData), object.AttrLabel.Is("Key History Object"),
			object.AttrValue.Is(unhex("C10100C20100FE00")))...)
		r.must(err)
	}
	r.must(s.Close())
	r.connect()
	return r
}

func consent(_ context.Context, _ token.PINRequest, login func(token.PIN) error) error {
	return login(pin(userPIN))
}

// shorts has a card with the extensions, in a reader of short APDUs, too.
func shorts() map[string]virtual.PIVPersona {
	all := personas()
	short := virtual.YubiKey57()
	short.Extended = false
	all["yubikey, short"] = short
	return all
}

func TestOpeningAndListingTakesFourExchangesAndTheCertificates(t *testing.T) {
	for name, p := range shorts() {
		t.Run(name, func(t *testing.T) {
			r := filled(t, p)
			r.exchanges()
			r.connect()
			opened := r.exchanges()
			if len(opened) > 3 {
				t.Errorf("opening took %d: %q", len(opened), opened)
			}
			s := r.open("")
			keys := r.find(s, object.AttrClass.Is(object.ClassPublicKey))
			for _, o := range keys {
				if _, err := object.Get(t.Context(), o, object.AttrPublicKeyInfo); err != nil {
					t.Error(err)
				}
			}
			certs := r.find(s, object.AttrClass.Is(object.ClassCertificate), object.AttrLabel.Is("Certificate for PIV Authentication"))
			if len(keys) < 4 || len(certs) != 1 {
				t.Errorf("%d public keys, %d certificates", len(keys), len(certs))
			}
		})
	}
}

// A certificate's own reads are those that its bytes need.
func TestListingReadsEachCertificateOnce(t *testing.T) {
	for name, p := range shorts() {
		t.Run(name, func(t *testing.T) {
			r := filled(t, p)
			r.exchanges()
			r.connect()
			s := r.open("")
			var own int
			for id := byte(1); id <= 4; id++ {
				o := r.one(s, object.ClassCertificate, id)
				v, err := object.Get(t.Context(), o, object.AttrValue)
				r.must(err)
				own++
				if !p.Extended {
					own += (len(v) + 12) / 256
				}
			}
			if said := r.exchanges(); len(said) > 4+own {
				t.Errorf("%d exchanges for four certificates that take %d: %q", len(said), own, said)
			}
		})
	}
}

func TestKeysAskedForBySlotReadNoCertificate(t *testing.T) {
	for name, p := range shorts() {
		t.Run(name, func(t *testing.T) {
			r := filled(t, p)
			r.exchanges()
			r.connect()
			s := r.open("")
			r.must(s.Login(t.Context(), token.User, pin(userPIN)))
			r.one(s, object.ClassPrivateKey, 0x01)
			said := r.exchanges()
			if len(said) > 8 {
				t.Errorf("%d exchanges: %q", len(said), said)
			}
			for _, c := range said {
				if strings.HasPrefix(c, "00CB3FFF055C035FC105") && c != "00CB3FFF055C035FC10508" {
					t.Errorf("the certificate was read: %s", c)
				}
			}
		})
	}
}

func TestLoginAndSignatureTakeFewExchanges(t *testing.T) {
	for name, p := range shorts() {
		t.Run(name, func(t *testing.T) {
			for id, most := range map[byte]int{0x01: 6, 0x04: 4} {
				if p.Extended {
					most = 4
				}
				r := filled(t, p)
				s := r.open("")
				if id == 0x04 {
					// 9E needs no login; it is made to, to count one with it.
					r.one(s, object.ClassPublicKey, id)
				}
				r.must(s.Login(t.Context(), token.User, pin(userPIN)))
				priv := r.one(s, object.ClassPrivateKey, id)
				key, err := s.Key(t.Context(), priv)
				r.must(err)
				r.must(s.Logout(t.Context()))
				r.exchanges()
				r.must(s.Login(t.Context(), token.User, pin(userPIN)))
				if id == 0x01 {
					priv = r.one(s, object.ClassPrivateKey, id) // the handle died with the logout
					key, err = s.Key(t.Context(), priv)
					r.must(err)
				}
				if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
					t.Fatal(err)
				}
				if said := r.exchanges(); len(said) > most {
					t.Errorf("key %02X: %d exchanges, more than %d: %q", id, len(said), most, said)
				}
			}
		})
	}
}

// The key history is asked for where retired keys are, once, and tells which of
// them are not looked for.
func TestKeyHistoryIsAskedForOnlyForRetiredKeys(t *testing.T) {
	for name, p := range shorts() {
		t.Run(name, func(t *testing.T) {
			r := filled(t, p)
			s := r.open("")
			r.exchanges()
			asked := func(id byte) (history, all int) {
				r.find(s, object.AttrClass.Is(object.ClassCertificate), object.AttrID.Is([]byte{id}))
				said := r.exchanges()
				for _, c := range said {
					if strings.Contains(c, "5C035FC10C") {
						history++
					}
				}
				return history, len(said)
			}
			if h, _ := asked(0x01); h != 0 {
				t.Error("the history was read for a key that is in none")
			}
			if h, n := asked(0x05); h != 1 || n != 1 {
				t.Errorf("%d times the history, of %d exchanges", h, n)
			}
			if h, n := asked(0x06); h != 0 || n != 0 {
				t.Errorf("%d times the history, of %d exchanges", h, n)
			}
		})
	}
}

// A card of Yubico's kind without key history may have keys and certificates
// in all twenty retired slots, each without the other. All are found.
func TestRetiredKeysWithoutHistoryAreFound(t *testing.T) {
	r := newRig(t, virtual.WithPIV(virtual.YubiKey57()))
	s := r.user(adminHex)
	_, priv := r.generate(s, mechanism.ECKeyPairGen{}, params("P-256"), 0x18)
	key, err := s.Key(t.Context(), priv)
	r.must(err)
	r.store(s, key, 0x11)
	r.must(s.Close())
	r.connect()
	s = r.user("")
	r.one(s, object.ClassPrivateKey, 0x18)
	r.one(s, object.ClassCertificate, 0x11)
	r.exchanges()
	r.find(s)
	if n := len(r.exchanges()); n > 65 {
		t.Errorf("a list of all took %d exchanges", n)
	}
	r.exchanges()
	r.find(s)
	if said := r.exchanges(); len(said) > 0 {
		t.Errorf("a second list, with nobody else at the card, took %q", said)
	}
}

// Two applications on one card, each a token: what one does never reaches the
// other's PIN, and each finds its login again.
func TestNoPINGoesToAnotherApplication(t *testing.T) {
	var selected string
	var wrong []string
	card := virtual.New(virtual.As(virtual.MyEID500()), virtual.WithPIV(virtual.NISTPIV()), virtual.Observe(func(c, resp []byte) {
		if c[1] == 0xA4 && c[2] == 0x04 && resp[len(resp)-2] == 0x90 {
			selected = string(c[5:10])
		}
		if c[1] == 0x20 && len(c) > 5 && selected != "\xA0\x00\x00\x03\x08" {
			wrong = append(wrong, selected)
		}
	}))
	both := func(ctx context.Context, conn *apdu.Conn) ([]driver.Backend, error) {
		own, err := piv.Driver().Probe(ctx, conn)
		return append(own, other{conn}), err
	}
	list := slot.NewList(virtual.Single(card), []driver.Driver{{Name: "both", Probe: both}})
	defer list.Close()
	slots, err := list.Slots(t.Context(), true)
	if err != nil || len(slots) != 2 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	var sessions []*session.Session
	for _, sl := range slots {
		tok, err := sl.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := session.Open(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	if err := sessions[0].Login(t.Context(), token.User, pin(userPIN)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, s := range sessions {
			for _, err := range s.Find(t.Context(), object.AttrClass.Is(object.ClassData)) {
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if len(wrong) > 0 {
		t.Errorf("a PIN went to %X", wrong)
	}
}
