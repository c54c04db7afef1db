package myeid_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// Secrets of the cards of these tests, with eight bytes to a PIN.
const (
	scalar  = "a private scalar of 32 bytes ..."
	secret  = "an AES key for the tests, secret"
	private = "what PIN 1 reads"
	pin1    = "m7$Rb2xQ"
	puk1    = "Uw5&eN8d"
	pin3    = "sO3%gJ6p"
	puk3    = "Kd1(yL4z"
	fresh   = "Yt4^hC7n"
)

func h(s string) string { return hex.EncodeToString([]byte(s)) }

// counted is a kit that counts what it derives.
func counted(n *int) seal.Kit {
	k := kit()
	k.Derived = func() { *n++ }
	return k
}

func empty() *memory { return &memory{records: make(map[string][]byte)} }

func create(t *testing.T, m *memory, k seal.Kit) tester {
	t.Helper()
	card, err := myeid.Create(persona(), m, k)
	if err != nil {
		t.Fatal(err)
	}
	return tester{t, card}
}

func reload(t *testing.T, m *memory, k seal.Kit) tester {
	t.Helper()
	card, err := myeid.Load(m, k)
	if err != nil {
		t.Fatal(err)
	}
	return tester{t, card}
}

// setPINs makes user PIN 1, which SO PIN 3 may set and unblock.
func (c tester) setPINs() {
	c.Helper()
	c.ok("00DA010113" + h(pin1) + h(puk1) + "030A14")
	c.ok("00DA010313" + h(pin3) + h(puk3) + "050A28")
}

func (c tester) activate() { c.Helper(); c.ok("00440400" + lv("A000000063504B43532D3135")) }

// makeFiles makes an EC key 4B01 and an AES key 4D01 that PIN 1 uses, and a
// file 4401 that it reads; PIN 3 writes them.
func (c tester) makeFiles() {
	c.Helper()
	c.ok("00A4000C025015")
	c.create("22", "4B01", "0100", "1333FF", "0000")
	c.create("29", "4D01", "0100", "1333FF", "0008")
	c.create("01", "4401", "0010", "1333FF", "0000")
}

func (c tester) fillIn() {
	c.Helper()
	c.ok("00A408000450154B01")
	c.ok("00DA0187" + lv(h(scalar)))
	c.ok("00A408000450154D01")
	c.ok("00DA01A0" + lv(h(secret)))
	c.ok("00A408000450154401")
	c.ok("00D60000" + lv(h(private)))
}

// filled makes a card with all of it.
func filled(t *testing.T) *memory {
	t.Helper()
	m := empty()
	c := create(t, m, kit())
	c.setPINs()
	c.activate()
	c.ok("0020000108" + h(pin1))
	c.ok("0020000308" + h(pin3))
	c.makeFiles()
	c.fillIn()
	return m
}

// works checks that all of it can be used.
func (c tester) works() {
	c.Helper()
	c.signs("4B01")
	c.ok("002281B807 800100 81024D01")
	c.ok("002A848010" + key16 + "00")
	c.ok("00A408000450154401")
	if got := c.ok("00B0000000"); !strings.EqualFold(got, h(private)) {
		c.Errorf("content %s", got)
	}
}

// signs checks that a key is the one with the scalar.
func (c tester) signs(id string) {
	c.Helper()
	c.ok("00A4000C025015")
	want, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(scalar))
	if err != nil {
		c.Fatal(err)
	}
	c.ok("002241B60A8001048102" + id + "840100")
	hash := bytes.Repeat([]byte{0x11}, 32)
	sig := c.ok("002A9E9A20" + hex.EncodeToString(hash) + "00")
	if !ecdsa.VerifyASN1(&want.PublicKey, hash, unhex(c, sig)) {
		c.Errorf("key %s: signature %s", id, sig)
	}
}

// has tells whether a record has a secret in it.
func (m *memory) has(s string) string {
	for key, value := range m.records {
		for skip := range 3 {
			text := base64.StdEncoding.EncodeToString([]byte(s[skip:]))
			if bytes.Contains(value, []byte(text[:4*((len(s)-skip)/3)])) || bytes.Contains(value, []byte(s)) {
				return key
			}
		}
	}
	return ""
}

func (m *memory) hides(t *testing.T, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if key := m.has(s); key != "" {
			t.Errorf("%q is in record %s", s, key)
		}
	}
}

// TestTheSOWritesWhatTheUserReads: with its own PIN, on a card that was not
// told the user's.
func TestTheSOWritesWhatTheUserReads(t *testing.T) {
	m, n := empty(), 0
	c := create(t, m, counted(&n))
	c.setPINs()
	if n != 4 {
		t.Errorf("two PINs derive %d times, want once for each code", n)
	}
	c.activate()
	if n != 4 {
		t.Error("activation derives")
	}
	m.hides(t, pin1, puk1, pin3, puk3)

	c.ok("0020000108" + h(pin1))
	c.makeFiles()
	c = reload(t, m, counted(&n))
	c.ok("0020000308" + h(pin3))
	c.fillIn()
	m.hides(t, scalar, secret, private, pin1, puk1, pin3, puk3)

	c, n = reload(t, m, counted(&n)), 0
	c.ok("00A408000450154B01")
	point := c.ok("00CA018600")
	c.ok("00A4000C025015")
	c.sw("0020000108"+h(fresh), "63C2")
	c.ok("0020000108" + h(pin1))
	c.works()
	c.ok("00A408000450154B01")
	if got := c.ok("00CA018600"); got != point {
		t.Errorf("public key %s, was %s", got, point)
	}
	c.sw("0020000108"+h(fresh), "63C2")
	c.ok("0020000108" + h(pin1))
	if n != 2 {
		t.Errorf("%d derivations, want one for each guess up to the right one", n)
	}
}

// TestReadersOfPublicThingsPayNothing: all that can be seen without a PIN is
// there without one derivation.
func TestReadersOfPublicThingsPayNothing(t *testing.T) {
	m, n := empty(), 0
	c := create(t, m, kit())
	c.setPINs()
	c.activate()
	c = reload(t, m, counted(&n))
	c.look()
	if n != 0 {
		t.Errorf("%d derivations", n)
	}
}

// TestNewCodesOpenWhatOldOnesSealed, however they came to be.
func TestNewCodesOpenWhatOldOnesSealed(t *testing.T) {
	for name, tt := range map[string]struct {
		commands []string
		derived  int
	}{
		"changed by the user":    {[]string{"0024000110" + h(pin1) + h(fresh)}, 2},
		"after the PUK":          {[]string{"002C000110" + h(puk1) + h(fresh)}, 2},
		"set by the SO":          {[]string{"0020000308" + h(pin3), "0024000108" + h(fresh)}, 2},
		"unblocked by the SO":    {[]string{"0020000308" + h(pin3), "002C000108" + h(fresh)}, 2},
		"changed when verified":  {[]string{"0020000108" + h(pin1), "0024000110" + h(pin1) + h(fresh)}, 2},
		"changed and back again": {[]string{"0024000110" + h(pin1) + h(pin1), "0024000110" + h(pin1) + h(fresh)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			m, n := filled(t), 0
			c := reload(t, m, counted(&n))
			for _, command := range tt.commands {
				c.ok(command)
			}
			if n != tt.derived {
				t.Errorf("%d derivations, want %d", n, tt.derived)
			}
			m.hides(t, scalar, secret, private, pin1, puk1, pin3, puk3, fresh)
			c.ok("0020000108" + h(fresh))
			c.works()
			c = reload(t, m, kit())
			c.sw("0020000108"+h(pin1), "63C2")
			c.ok("0020000108" + h(fresh))
			c.works()
			c = reload(t, m, kit())
			c.ok("002C000110" + h(puk1) + h(pin1))
			c.ok("0020000108" + h(pin1))
			c.works()
		})
	}
}

// TestActivationSealsWhatLayOpen, and not to a pair that lay open, too.
func TestActivationSealsWhatLayOpen(t *testing.T) {
	for _, reloaded := range []bool{false, true} {
		m := empty()
		c := create(t, m, kit())
		c.setPINs()
		c.makeFiles()
		c.fillIn()
		if m.has(scalar) == "" || m.has(private) == "" {
			t.Error("something is sealed that needs no PIN")
		}
		m.hides(t, pin1, puk1, pin3, puk3)
		if reloaded {
			c = reload(t, m, kit())
			c.works()
		}
		before := public(t, m)
		c.activate()
		m.hides(t, scalar, secret, private, pin1, puk1, pin3, puk3, `"Private":`)
		if changed := public(t, m) != before; changed == reloaded {
			t.Errorf("reloaded %v: pair changed %v; it can be if the codes were seen", reloaded, changed)
		}
		c = reload(t, m, kit())
		c.ok("0020000108" + h(pin1))
		c.works()
		c = reload(t, m, kit())
		c.ok("0020000308" + h(pin3))
		c.ok("0024000108" + h(fresh))
		c.ok("0020000108" + h(fresh))
		c.works()
	}
}

func public(t *testing.T, m *memory) string {
	var pin struct{ Public []byte }
	if err := json.Unmarshal(m.records["pin/00000001"], &pin); err != nil {
		t.Fatal(err)
	}
	return string(pin.Public)
}

// TestPartsOfAKeyComeOneByOne, each on a card that knows none of the others.
func TestPartsOfAKeyComeOneByOne(t *testing.T) {
	priv, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	m := empty()
	c := create(t, m, kit())
	c.setPINs()
	c.activate()
	c.ok("0020000108" + h(pin1))
	c.ok("00A4000C025015")
	c.create("11", "4B01", "0400", "1333FF", "0000")
	parts := []string{
		"0181" + lv("010001"),
		"0183" + lv(hex.EncodeToString(priv.Primes[0].Bytes())),
		"0184" + lv(hex.EncodeToString(priv.Primes[1].Bytes())),
	}
	for i := range parts {
		c = reload(t, m, kit())
		c.ok("0020000308" + h(pin3))
		c.ok("00A408000450154B01")
		c.ok("00DA" + parts[i])
		c.sw("00DA"+parts[i], "6984")
		c = reload(t, m, kit())
		c.ok("0020000308" + h(pin3))
		c.ok("00A408000450154B01")
		c.sw("00DA"+parts[i], "6984")
	}
	m.hides(t, string(priv.Primes[0].Bytes()), string(priv.Primes[1].Bytes()))
	c.sw("00CA010100", "6A88") // what it makes is not known yet
	c.ok("0020000108" + h(pin1))
	modulus := c.ok("00CA010100")
	c = reload(t, m, kit())
	c.ok("00A408000450154B01")
	if got := c.ok("00CA010100"); !bytes.Equal(unhex(t, got), priv.N.Bytes()) || got != modulus {
		t.Errorf("modulus %s", got)
	}
	c.ok("0020000308" + h(pin3))
	c.sw("00DA0185"+lv("01"), "6985") // whether it fits cannot be told
	c.ok("0020000108" + h(pin1))
	c.ok("00A4000C025015")
	c.ok("002241B60A8001028102" + "4B01" + "840100")
	c.ok("002A9E9A0411223344" + "00")
}

// TestAContentIsWrittenInPieces, by whom who cannot read it.
func TestAContentIsWrittenInPieces(t *testing.T) {
	m := filled(t)
	write := func(offset, data string) string {
		c := reload(t, m, kit())
		c.ok("0020000308" + h(pin3))
		c.ok("00A408000450154401")
		c.sw("00B0000001", "6982")
		_, sw := c.send("00D6" + offset + lv(data))
		return sw
	}
	read := func() string {
		c := reload(t, m, kit())
		c.ok("0020000108" + h(pin1))
		c.ok("00A408000450154401")
		return strings.ToUpper(c.ok("00B0000000"))
	}
	want := []byte(private)
	for i := range 5 {
		if sw := write(fmt.Sprintf("%04X", 3*i), "AABB"); sw != "9000" {
			t.Fatal(sw)
		}
		copy(want[3*i:], "\xAA\xBB")
	}
	m.hides(t, "\xAA\xBB"+private[2:])
	if got := read(); got != strings.ToUpper(hex.EncodeToString(want)) {
		t.Errorf("content %s, want %X", got, want)
	}
	c := reload(t, m, kit())
	c.ok("0020000308" + h(pin3))
	c.ok("00A408000450154401")
	c.ok("000E0008") // erased from there
	copy(want[8:], bytes.Repeat([]byte{0xFF}, 8))
	if got := read(); got != strings.ToUpper(hex.EncodeToString(want)) {
		t.Errorf("content %s, want %X", got, want)
	}
	n := 0
	for ; write("0000", "CC") == "9000" && n < 1000; n++ {
	}
	if n > 100 {
		t.Error("pieces without end")
	}
	if sw := write("0000", "CC"); sw != "6A84" {
		t.Errorf("one piece too many: %s", sw)
	}
	if got := read(); got[:2] != "CC" { // and now they are one again
		t.Errorf("content %s", got)
	}
	if sw := write("0000", "DD"); sw != "9000" {
		t.Errorf("after reading: %s", sw)
	}
	if sw := write("0000", strings.Repeat("EE", 16)); sw != "9000" {
		t.Errorf("as a whole: %s", sw)
	}
	if got := read(); got != strings.Repeat("EE", 16) {
		t.Errorf("content %s", got)
	}
}

// TestWhatNobodyCanReadIsNotKept: the condition is "never", or a PIN that does
// not exist and cannot come to be.
func TestWhatNobodyCanReadIsNotKept(t *testing.T) {
	m := empty()
	c := create(t, m, kit())
	c.setPINs()
	c.ok("00A4000C025015")
	c.create("22", "4B01", "0100", "F000FF", "0000")
	c.ok("00DA0187" + lv(h(scalar)))
	c.create("22", "4B02", "0100", "2000FF", "0000")
	c.ok("00DA0187" + lv(h(scalar)))
	c.create("01", "4401", "0010", "F000FF", "0000")
	c.ok("00D60000" + lv(h(private)))
	c.activate()
	m.hides(t, scalar, private)
	c = reload(t, m, kit())
	c.ok("00A408000450154B01")
	c.ok("00CA018600")
	c.sw("00DA0187"+lv(h(scalar)), "6984")
	c.sw("00460000", "6984")
	c.ok("00A408000450154401")
	c.ok("00D6000001AA")
	c.sw("00B0000000", "6982")
	reload(t, m, kit())
}

// TestAWriteThatFailsDoesNotCloseWhatIsOpen.
func TestAWriteThatFailsDoesNotCloseWhatIsOpen(t *testing.T) {
	m, n := filled(t), 0
	c := reload(t, m, counted(&n))
	c.ok("0020000108" + h(pin1))
	m.fail = true
	c.sw("0024000110"+h(pin1)+h(fresh), "6581")
	m.fail = false
	c.ok("0020000108" + h(pin1))
	c.works()
	if n != 1 {
		t.Errorf("%d derivations, want 1", n)
	}
}

// TestWhatIsSealedOpensInItsPlaceOnly: what a forger puts elsewhere, or
// damages, does not work; the rest does, and nothing is written over.
func TestWhatIsSealedOpensInItsPlaceOnly(t *testing.T) {
	m := filled(t)
	const ec, aes, content = "00000003", "00000004", "00000005"
	damage := func(m *memory, name string) {
		var i struct{ Layers [][]byte }
		if err := json.Unmarshal(m.records[name], &i); err != nil {
			t.Fatal(err)
		}
		i.Layers[0][50] ^= 1
		m.records[name], _ = json.Marshal(i)
	}
	for name, tt := range map[string]struct {
		forge     func(*memory)
		ec, eData string
	}{
		"keys": {func(m *memory) {
			m.records["sealed/"+ec], m.records["sealed/"+aes] = m.records["sealed/"+aes], m.records["sealed/"+ec]
		}, "6581", "9000"},
		"a content": {func(m *memory) { m.records["sealed/"+ec] = m.records["sealed/"+content] }, "6581", "9000"},
		"damage":    {func(m *memory) { damage(m, "sealed/"+content) }, "9000", "6581"},
		"a public key": {func(m *memory) {
			other := bytes.Replace(m.records["key/"+ec], []byte(`"Point":"`), []byte(`"Point":"BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU=","P":"`), 1)
			m.records["key/"+ec] = other
		}, "6581", "9000"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := &memory{records: maps.Clone(m.records)}
			tt.forge(bad)
			before := maps.Clone(bad.records)
			c := reload(t, bad, kit())
			c.ok("0020000108" + h(pin1))
			c.ok("00A4000C025015")
			c.ok("002241B60A80010481024B01840100")
			c.sw("002A9E9A20"+strings.Repeat("11", 32)+"00", tt.ec)
			c.ok("00A408000450154401")
			c.sw("00B0000000", tt.eData)
			c.ok("0020000308" + h(pin3))
			c.ok("0020000108" + h(pin1))
			for _, key := range []string{"key/" + ec, "sealed/" + ec, "sealed/" + aes, "sealed/" + content} {
				if !bytes.Equal(before[key], bad.records[key]) {
					t.Errorf("record %s was written over", key)
				}
			}
		})
	}
	t.Run("PINs", func(t *testing.T) {
		bad := &memory{records: maps.Clone(m.records)}
		bad.records["pin/00000001"], bad.records["pin/00000003"] = bad.records["pin/00000003"], bad.records["pin/00000001"]
		c := reload(t, bad, kit())
		c.sw("0020000108"+h(pin3), "63C4")
		c.sw("0020000308"+h(pin1), "63C2")
	})
	t.Run("a pair", func(t *testing.T) {
		bad := &memory{records: maps.Clone(m.records)}
		var pin map[string]any
		json.Unmarshal(bad.records["pin/00000001"], &pin)
		other, _ := seal.NewPair()
		pin["Public"] = other.Public()
		bad.records["pin/00000001"], _ = json.Marshal(pin)
		c := reload(t, bad, kit())
		c.sw("0020000108"+h(pin1), "6581")
		c.sw("00200001", "63C2")
	})
}

// TestRecordsOfSealedThingsMustBeThere.
func TestRecordsOfSealedThingsMustBeThere(t *testing.T) {
	m := filled(t)
	for key := range m.records {
		if strings.HasPrefix(key, "sealed/") {
			for _, value := range []string{"", "{}", `{"Layers":[]}`, `{"Layers":[` + strings.Repeat(`"",`, 100) + `""]}`} {
				bad := &memory{records: maps.Clone(m.records)}
				bad.records[key] = []byte(value)
				if value == "" {
					delete(bad.records, key)
				}
				if _, err := myeid.Load(bad, kit()); err == nil {
					t.Errorf("%s: %.20s was taken", key, value)
				}
			}
		}
	}
	for _, lock := range []string{`null`, `{"Cost":{"Time":1,"Memory":4294967295,"Threads":1},"Salt":"AAAAAAAAAAAAAAAAAAAAAA=="}`} {
		bad := &memory{records: maps.Clone(m.records)}
		var pin map[string]any
		json.Unmarshal(bad.records["pin/00000001"], &pin)
		pin["PUKLock"] = json.RawMessage(lock)
		bad.records["pin/00000001"], _ = json.Marshal(pin)
		if _, err := myeid.Load(bad, kit()); err == nil {
			t.Errorf("lock %s was taken", lock)
		}
	}
}

// FuzzLoadSealed forges the records of a PIN, and of a key and a content that
// it guards.
func FuzzLoadSealed(f *testing.F) {
	m := empty()
	card, err := myeid.Create(persona(), m, kit())
	if err != nil {
		f.Fatal(err)
	}
	c := tester{f, card}
	c.setPINs()
	c.makeFiles()
	c.fillIn()
	c.activate()
	names := []string{"pin/00000001", "key/00000003", "sealed/00000003", "sealed/00000005"}
	f.Add(m.records[names[0]], m.records[names[1]], m.records[names[2]], m.records[names[3]])
	f.Fuzz(func(t *testing.T, pin, key, sealedKey, sealedContent []byte) {
		bad := &memory{records: maps.Clone(m.records)}
		for i, value := range [][]byte{pin, key, sealedKey, sealedContent} {
			bad.records[names[i]] = value
		}
		var costs struct{ CodeLock, PUKLock seal.Lock }
		json.Unmarshal(pin, &costs)
		card, err := myeid.Load(bad, kit())
		if err != nil || max(costs.CodeLock.Cost.Memory, costs.PUKLock.Cost.Memory) > 1<<10 {
			return
		}
		c := tester{t, card}
		for _, command := range []string{
			"0020000308" + h(pin3), "0024000108" + h(fresh), "0020000108" + h(pin1), "002C000110" + h(puk1) + h(pin1),
			"00A408000450154B01", "00CA018600", "00DA0187" + lv(h(scalar)), "00A4000C025015",
			"002241B60A80010481024B01840100", "002A9E9A20" + strings.Repeat("11", 32) + "00",
			"00A408000450154401", "00B0000000", "00D6000001AA", "00E40000",
		} {
			c.send(command)
		}
	})
}
