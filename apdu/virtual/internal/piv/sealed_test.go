package piv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// secrets of the cards of these tests.
const (
	scalar    = "a private scalar of 32 bytes ..."
	printed   = "what is read with the PIN only"
	otherPIN  = "Zq7!xK2w"
	guardedIn = 0x5FC109
)

func blank() *memory { return &memory{records: make(map[string][]byte)} }

// counted is a kit that counts what it derives.
func counted(n *int) seal.Kit {
	k := testKit()
	k.Derived = func() { *n++ }
	return k
}

func stored(t *testing.T, p Persona, m *memory, kit seal.Kit) *rig {
	t.Helper()
	card, err := Create(p, m, kit, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, card}
}

func reload(t *testing.T, m *memory, kit seal.Kit) *rig {
	t.Helper()
	card, err := Load(m, kit)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, card}
}

// fill imports a key and writes a guarded object, with the management key
// alone.
func (r *rig) fill(ref byte) {
	r.Helper()
	r.admin()
	r.ok(fmt.Sprintf("00FE11%02X", ref), tlv.New(0x06, []byte(scalar)))
	r.ok("00DB3FFF", append(unhex("5C035FC109"), tlv.New(0x53, []byte(printed))...))
}

// signs checks that a key is the one that was imported.
func (r *rig) signs(ref byte) {
	r.Helper()
	want, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(scalar))
	if err != nil {
		r.Fatal(err)
	}
	hash := bytes.Repeat([]byte{0x11}, 32)
	sig, sw := r.use(P256, ref, tagChallenge, hash)
	if sw != apdu.OK || !ecdsa.VerifyASN1(&want.PublicKey, hash, sig) {
		r.Errorf("signature by %02X: %v", ref, sw)
	}
}

func (r *rig) reads() {
	r.Helper()
	if got := r.ok("00CB3FFF", unhex("5C035FC109")); !bytes.Equal(got, tlv.New(0x53, []byte(printed))) {
		r.Errorf("object %q", got)
	}
}

// hides checks that no record has a secret in it.
func (m *memory) hides(t *testing.T, secrets ...string) {
	t.Helper()
	for key, value := range m.records {
		for _, s := range secrets {
			for skip := range 3 {
				text := base64.StdEncoding.EncodeToString([]byte(s[skip:]))
				if bytes.Contains(value, []byte(text[:4*((len(s)-skip)/3)])) || bytes.Contains(value, []byte(s)) {
					t.Errorf("%q is in record %s", s, key)
				}
			}
		}
	}
}

// TestTheManagementKeyWritesWhatThePINReads: an import on a card that was not
// told its PIN is used after VERIFY, also when the card was loaded in between.
func TestTheManagementKeyWritesWhatThePINReads(t *testing.T) {
	m, n := blank(), 0
	p := yubikey()
	p.PIN, p.PUK = otherPIN, "Uw5&eN8d"
	stored(t, p, m, counted(&n))
	if n != 2 {
		t.Errorf("a new card derives %d times, want once for the PIN and once for the PUK", n)
	}
	n = 0
	r := reload(t, m, counted(&n))
	r.fill(0x9A)
	r.want(apdu.SWSecurityNotSatisfied, "00CB3FFF", "5C035FC109")
	public := r.ok("00F7009A", nil)
	m.hides(t, scalar, printed, p.PIN, p.PUK)

	r = reload(t, m, counted(&n))
	if got := r.ok("00F7009A", nil); !bytes.Equal(got, public) {
		t.Errorf("metadata %X, want %X", got, public)
	}
	if n != 0 {
		t.Errorf("%d derivations before any PIN", n)
	}
	r.want(0x63C2, "00200080", "3131313131313131")
	r.verify(otherPIN)
	r.signs(0x9A)
	r.reads()
	r.want(0x63C2, "00200080", "3131313131313131")
	r.verify(otherPIN)
	if n != 2 {
		t.Errorf("%d derivations, want one for each guess up to the right one", n)
	}
	m.hides(t, scalar, printed, p.PIN, p.PUK)
}

// TestPINsOpenWhatTheirPredecessorsSealed: by CHANGE REFERENCE DATA, through
// the PUK, and as SET PIN RETRIES sets them.
func TestPINsOpenWhatTheirPredecessorsSealed(t *testing.T) {
	m := blank()
	stored(t, yubikey(), m, testKit()).fill(0x9A)

	r := reload(t, m, testKit())
	r.ok("00240080", append(padded("123456"), padded(otherPIN)...))
	m.hides(t, otherPIN, scalar, printed)
	r = reload(t, m, testKit())
	r.want(0x63C2, "00200080", "313233343536FFFF")
	r.verify(otherPIN)
	r.signs(0x9A)

	r = reload(t, m, testKit())
	for range 3 {
		r.send("00200080", padded("999999"))
	}
	r.want(apdu.SWBlocked, "00200080", fmt.Sprintf("%X", padded(otherPIN)))
	r = reload(t, m, testKit())
	r.ok("002C0080", append(padded("12345678"), padded("new PIN")...))
	r.ok("00240081", append(padded("12345678"), padded("new PUK")...))
	m.hides(t, "new PIN", "new PUK", scalar)
	r = reload(t, m, testKit())
	r.verify("new PIN")
	r.signs(0x9A)
	r.reads()
	r.admin()
	r.ok("00FA0503", nil)

	r = reload(t, m, testKit())
	r.want(0x63C5, "00200080", "")
	r.verify(factoryPIN)
	r.signs(0x9A)
	r = reload(t, m, testKit())
	r.ok("002C0080", append(padded(factoryPUK), padded("another")...))
	r.ok("00200080", padded("another"))
	r.signs(0x9A)
}

// TestTheGlobalPINOpensToo, alone.
func TestTheGlobalPINOpensToo(t *testing.T) {
	p, m := nist(), blank()
	p.GlobalPIN = "11111111"
	r := stored(t, p, m, testKit())
	r.admin()
	r.ok("00DB3FFF", append(unhex("5C035FC109"), tlv.New(0x53, []byte(printed))...))
	r = reload(t, m, testKit())
	r.ok("00200000", padded(p.GlobalPIN))
	r.reads()
	m.hides(t, p.GlobalPIN, printed)
}

// TestKeysWithoutAPINWorkUnopened: the card has them in clear, and they do not
// change that by moving.
func TestKeysWithoutAPINWorkUnopened(t *testing.T) {
	m := blank()
	r := stored(t, yubikey(), m, testKit())
	r.fill(0x9E)
	r.ok("00FE119D", append(tlv.New(0x06, []byte(scalar)), 0xAA, 1, pinNever))
	r.ok("00FE119A", tlv.New(0x06, []byte(scalar)))
	r = reload(t, m, testKit())
	r.signs(0x9E)
	r.signs(0x9D)
	if _, sw := r.use(P256, 0x9A, tagChallenge, make([]byte, 32)); sw != apdu.SWSecurityNotSatisfied {
		t.Errorf("9A without the PIN: %v", sw)
	}
	r.admin()
	r.ok("00F6829E", nil)
	r.ok("00F69E9A", nil)
	r = reload(t, m, testKit())
	r.signs(0x82)
	if _, sw := r.use(P256, 0x9E, tagChallenge, make([]byte, 32)); sw != apdu.SWSecurityNotSatisfied {
		t.Errorf("the key of 9A in 9E without the PIN: %v", sw)
	}
	r.verify("123456")
	r.signs(0x9E)
}

// TestResetLosesWhatWasSealed with the pair that it was sealed to.
func TestResetLosesWhatWasSealed(t *testing.T) {
	m := blank()
	stored(t, yubikey(), m, testKit()).fill(0x9A)
	r := reload(t, m, testKit())
	pair := r.card.pair.Public()
	for range 4 {
		r.send("00200080", padded("999999"))
		r.send("002C0080", append(padded("999999"), padded("999999")...))
	}
	r.want(apdu.OK, "00FB0000", "")
	r = reload(t, m, testKit())
	if bytes.Equal(pair, r.card.pair.Public()) {
		t.Error("the pair is the same")
	}
	r.want(apdu.SWReferenceNotFound, "00F7009A", "")
	r.verify(factoryPIN)
	r.want(apdu.SWFileNotFound, "00CB3FFF", "5C035FC109")
	r.fill(0x9A)
	r.signs(0x9A)
}

// TestAWriteThatFailsDoesNotCloseWhatIsOpen.
func TestAWriteThatFailsDoesNotCloseWhatIsOpen(t *testing.T) {
	m, n := blank(), 0
	stored(t, yubikey(), m, testKit()).fill(0x9A)
	r := reload(t, m, counted(&n))
	r.verify("123456")
	m.fail = true
	r.want(apdu.SWMemoryFailure, "00240080", fmt.Sprintf("%X%X", padded("123456"), padded("654321")))
	m.fail = false
	r.verify("123456")
	r.signs(0x9A)
	r.reads()
	if n != 1 {
		t.Errorf("%d derivations, want 1", n)
	}
}

// TestWhatIsSealedOpensInItsPlaceOnly: what a forger puts elsewhere, or
// damages, does not work; the rest does, and nothing is written over.
func TestWhatIsSealedOpensInItsPlaceOnly(t *testing.T) {
	m := blank()
	r := stored(t, yubikey(), m, testKit())
	r.fill(0x9A)
	r.generate(0x9C, P256)
	r.ok("00DB3FFF", append(unhex("5C035FC108"), tlv.New(0x53, []byte("another one"))...))
	key := func(m *memory, name string, change func(*keyImage)) {
		var i keyImage
		if err := json.Unmarshal(m.records[name], &i); err != nil {
			t.Fatal(err)
		}
		change(&i)
		m.records[name], _ = json.Marshal(i)
	}
	var other keyImage
	key(m, "pivkey/9c", func(i *keyImage) { other = *i })
	for name, forge := range map[string]func(*memory){
		"a private half in another slot": func(m *memory) { key(m, "pivkey/9a", func(i *keyImage) { i.Private = other.Private }) },
		"a public half":                  func(m *memory) { key(m, "pivkey/9a", func(i *keyImage) { i.Public = other.Public }) },
		"damage":                         func(m *memory) { key(m, "pivkey/9a", func(i *keyImage) { i.Private.Sealed[60] ^= 1 }) },
		"shortened":                      func(m *memory) { key(m, "pivkey/9a", func(i *keyImage) { i.Private.Sealed = i.Private.Sealed[:8] }) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := &memory{records: maps.Clone(m.records)}
			forge(bad)
			r := reload(t, bad, testKit())
			before := bad.records["pivkey/9a"]
			r.verify("123456")
			if _, sw := r.use(P256, 0x9A, tagChallenge, make([]byte, 32)); sw != apdu.SWMemoryFailure {
				t.Errorf("use: %v", sw)
			}
			r.reads()
			r.verify("123456")
			if _, sw := r.use(P256, 0x9C, tagChallenge, make([]byte, 32)); sw != apdu.OK {
				t.Errorf("another key: %v", sw)
			}
			if !bytes.Equal(before, bad.records["pivkey/9a"]) {
				t.Error("the record was written over")
			}
		})
	}
	t.Run("objects", func(t *testing.T) {
		bad := &memory{records: maps.Clone(m.records)}
		bad.records["pivsealed/5fc109"], bad.records["pivsealed/5fc108"] = bad.records["pivsealed/5fc108"], bad.records["pivsealed/5fc109"]
		r := reload(t, bad, testKit())
		r.verify("123456")
		r.want(apdu.SWMemoryFailure, "00CB3FFF", "5C035FC109")
		r.want(apdu.SWMemoryFailure, "00CB3FFF", "5C035FC108")
		r.signs(0x9A)
	})
	t.Run("another card's", func(t *testing.T) {
		bad := blank()
		stored(t, yubikey(), bad, testKit())
		bad.records["pivkey/9a"] = m.records["pivkey/9a"]
		r := reload(t, bad, testKit())
		r.verify("123456")
		if _, sw := r.use(P256, 0x9A, tagChallenge, make([]byte, 32)); sw != apdu.SWMemoryFailure {
			t.Errorf("use: %v", sw)
		}
	})
	t.Run("a pair", func(t *testing.T) {
		bad := &memory{records: maps.Clone(m.records)}
		var h headImage
		json.Unmarshal(bad.records[HeadRecord], &h)
		other, _ := seal.NewPair()
		h.Pair = other.Public()
		bad.records[HeadRecord], _ = json.Marshal(h)
		r := reload(t, bad, testKit())
		r.want(apdu.SWMemoryFailure, "00200080", "313233343536FFFF")
		r.want(0x63C2, "00200080", "")
	})
}

// TestRecordsThatCannotBeAreRefused at loading.
func TestRecordsThatCannotBeAreRefused(t *testing.T) {
	m := blank()
	stored(t, yubikey(), m, testKit()).fill(0x9A)
	for name, value := range map[string]string{
		"pivkey/9a":        `{"Public":"AAAA","Private":{"Length":1}}`,
		"pivkey/9e":        string(m.records["pivkey/9a"][:20]),
		"pivpin/80":        `{"Lock":{"Cost":{"Time":1,"Memory":4294967295,"Threads":1},"Salt":"AAAAAAAAAAAAAAAAAAAAAA=="}}`,
		"pivpin/81":        `{"Left":3}`,
		"pivsealed/5fc102": `{"Length":0}`,
		"pivsealed/5fc109": `{"Length":1000000000}`,
	} {
		bad := &memory{records: maps.Clone(m.records)}
		bad.records[name] = []byte(value)
		if _, err := Load(bad, testKit()); err == nil {
			t.Errorf("%s: %s was taken", name, value)
		}
	}
}

func FuzzLoad(f *testing.F) {
	m := &memory{records: make(map[string][]byte)}
	card, err := Create(yubikey(), m, testKit(), nil)
	if err != nil {
		f.Fatal(err)
	}
	k, _ := makeKey(P256)
	card.place(0x9A, k)
	card.putObject(guardedIn, tlv.New(0x53, []byte(printed)))
	if err := card.commit(); err != nil {
		f.Fatal(err)
	}
	f.Add(m.records[HeadRecord], m.records["pivpin/80"], m.records["pivkey/9a"], m.records["pivsealed/5fc109"])
	f.Fuzz(func(t *testing.T, head, pin, key, object []byte) {
		bad := &memory{records: maps.Clone(m.records)}
		bad.records[HeadRecord], bad.records["pivpin/80"] = head, pin
		bad.records["pivkey/9a"], bad.records["pivsealed/5fc109"] = key, object
		card, err := Load(bad, testKit())
		if err != nil || card.pins[refPIN].lock != nil && card.pins[refPIN].lock.Cost.Memory > 1<<10 {
			return
		}
		r := &rig{t, card}
		for _, c := range [][2]string{{"00200080", "313233343536FFFF"}, {"00F7009A", ""}, {"00CB3FFF", "5C035FC109"}, {"0087119A", "7C0482008100"}, {"00F9009A", ""}} {
			r.send(c[0], unhex(c[1]))
		}
	})
}
