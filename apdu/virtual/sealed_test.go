package virtual_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/store"
)

// Codes and secrets that do not come about by chance; the card file of
// version 1 in testdata has the same ones.
const (
	pin1, puk1 = "m7$Rb2xQ", "Uw5&eN8d"
	pin3, puk3 = "sO3%gJ6p", "Kd1(yL4z"
	pivPIN     = "Pv9#kTz1"
	pivPUK     = "uK4!wXq8"
	newCode    = "Yt4^hC7n"

	ecScalar  = "private scalar of MyEID's key EC"
	aesKey    = "secret of the AES key, 32 bytes."
	content   = "content that PIN 1 alone reads.."
	printed   = "printed info, for PIN only"
	scalar9A  = "private scalar of the PIV key 9A"
	scalar9C  = "private scalar of the PIV key 9C"
	readByAll = "all may read it."
)

func h(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }

// hides checks that a file has no trace of secrets, in none of the forms that
// records may have them in.
func hides(t *testing.T, path string, secrets ...string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		forms := []string{s, hex.EncodeToString([]byte(s)), h(s)}
		for skip := range 3 {
			text := base64.StdEncoding.EncodeToString([]byte(s[skip:]))
			forms = append(forms, text[:4*((len(s)-skip)/3)])
		}
		for _, form := range forms {
			if at := bytes.Index(raw, []byte(form)); at >= 0 {
				t.Errorf("%q is in the file at %d, as %q", s, at, form)
			}
		}
	}
}

// makeCard makes files, keys and PINs on a blank card, PIN 1 verified.
func makeCard(t *testing.T, c apdu.Transport) {
	t.Helper()
	ok(t, c, "00DA010113"+h(pin1)+h(puk1)+"030A14")
	ok(t, c, "00DA010313"+h(pin3)+h(puk3)+"050A20")
	ok(t, c, "004404000C A000000063504B43532D3135")
	ok(t, c, "0020000108"+h(pin1))
	ok(t, c, "00A4000C025015")
	ok(t, c, "00E0000016 6214 81020100 820122 83024B01 86031111FF 85020000")
	ok(t, c, "00DA018720"+h(ecScalar))
	ok(t, c, "00E0000016 6214 81020100 820129 83024D01 86031111FF 85020000")
	ok(t, c, "00DA01A020"+h(aesKey))
	ok(t, c, "00E0000016 6214 80020020 820101 83024401 86031111FF 85020000")
	ok(t, c, "00D6000020"+h(content))
	ok(t, c, "00E0000016 6214 80020010 820101 83024402 86030111FF 85020000")
	ok(t, c, "00D6000010"+h(readByAll))
}

// uses uses all of it, with PIN 1 verified.
func uses(t *testing.T, c apdu.Transport) {
	t.Helper()
	ok(t, c, "00A4000C025015")
	ok(t, c, "002241B60A80010481024B01840100")
	ok(t, c, "002A9E9A20"+strings.Repeat("11", 32)+"00")
	ok(t, c, "002281B807 800100 81024D01")
	ok(t, c, "002A848010"+strings.Repeat("22", 16)+"00")
	ok(t, c, "00A408000450154401")
	if got := ok(t, c, "00B0000000"); got != h(content) {
		t.Errorf("content %s", got)
	}
}

// again closes a card and opens its file.
func again(t *testing.T, card *virtual.Card, path string, opts ...virtual.Option) (*virtual.Card, apdu.Transport) {
	t.Helper()
	if err := card.Close(); err != nil {
		t.Fatal(err)
	}
	card = open(t, path, append(opts, virtual.Cheap())...)
	return card, connect(t, virtual.Single(card))
}

// TestAStolenFileHasPublicThingsOnly, at every point of a card's life.
func TestAStolenFileHasPublicThingsOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	card := open(t, path, virtual.Cheap())
	c := connect(t, virtual.Single(card))
	secrets := []string{pin1, puk1, pin3, puk3, newCode, ecScalar, aesKey, content}
	makeCard(t, c)
	hides(t, path, secrets...)

	card, c = again(t, card, path)
	ok(t, c, "00A408000450154402")
	if got := ok(t, c, "00B0000000"); got != h(readByAll) {
		t.Errorf("public content %s", got)
	}
	ok(t, c, "00A408000450154B01")
	ok(t, c, "00CA018600") // the public key
	ok(t, c, "00A408000450154401")
	if got := send(t, c, "00B0000000"); got != "6982" {
		t.Errorf("private content without the PIN: %s", got)
	}
	if got := send(t, c, "0020000108"+h(newCode)); got != "63C2" {
		t.Errorf("wrong PIN: %s", got)
	}
	ok(t, c, "0020000108"+h(pin1))
	uses(t, c)

	ok(t, c, "0024000110"+h(pin1)+h(newCode))
	hides(t, path, secrets...)
	card, c = again(t, card, path)
	for _, want := range []string{"63C2", "63C1", "6983", "6983"} {
		if got := send(t, c, "0020000108"+h(pin1)); got != want {
			t.Errorf("the old PIN: %s, want %s", got, want)
		}
	}
	card, c = again(t, card, path)
	ok(t, c, "002C000110"+h(puk1)+h(pin1))
	card, c = again(t, card, path)
	ok(t, c, "0020000108"+h(pin1))
	uses(t, c)
	ok(t, c, "0020000308"+h(pin3))
	ok(t, c, "00A408000450154401")
	ok(t, c, "00E40000")
	hides(t, path, secrets...)
	card.Close()
	hides(t, path, secrets...)
}

// TestWhatNeedsNoPINYetIsWipedWhenItDoes: until ACTIVATE APPLET everything is
// open to all, and after it no trace of that is left.
func TestWhatNeedsNoPINYetIsWipedWhenItDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	card := open(t, path, virtual.Cheap())
	c := connect(t, virtual.Single(card))
	ok(t, c, "00DA010113"+h(pin1)+h(puk1)+"030A14")
	hides(t, path, pin1, puk1)
	for range 20 {
		ok(t, c, "00A4000C025015")
		ok(t, c, "00E0000016 6214 80020020 820101 83024401 86031111FF 85020000")
		ok(t, c, "00D6000020"+h(content))
		ok(t, c, "00E0000016 6214 81020100 820122 83024B01 86031111FF 85020000")
		ok(t, c, "00DA018720"+h(ecScalar))
		ok(t, c, "00E40000")
		ok(t, c, "00A408000450154401")
		ok(t, c, "00E40000")
		hides(t, path, content, ecScalar)
	}
	ok(t, c, "00E0000016 6214 80020020 820101 83024401 86031111FF 85020000")
	ok(t, c, "00D6000020"+h(content))
	ok(t, c, "004404000C A000000063504B43532D3135")
	hides(t, path, content, pin1, puk1)
}

// TestADerivationForEachGuess and for each new code, and none for anything
// else.
func TestADerivationForEachGuess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	n := 0
	count := virtual.CountDerivations(&n)
	card := open(t, path, virtual.Cheap(), count)
	c := connect(t, virtual.Single(card))
	steps := func(name string, want int) {
		t.Helper()
		if n != want {
			t.Errorf("%s: %d derivations, want %d", name, n, want)
		}
		n = 0
	}
	makeCard(t, c)
	steps("two PINs with their PUKs", 4)
	card, c = again(t, card, path, count)
	send(t, c, "00200001")
	ok(t, c, "00CA01A000")
	steps("opening and looking", 0)
	for range 2 {
		send(t, c, "0020000108"+h(newCode))
	}
	steps("two guesses", 2)
	ok(t, c, "0020000108"+h(pin1))
	steps("the first right VERIFY", 1)
	ok(t, c, "0020000108"+h(pin1))
	send(t, c, "0020000108"+h(newCode))
	uses2 := func() { ok(t, c, "0020000108"+h(pin1)); uses(t, c) }
	uses2()
	steps("all later ones, and uses", 0)
	ok(t, c, "0024000110"+h(pin1)+h(newCode))
	steps("a change after VERIFY", 1)
	_, c = again(t, card, path, count)
	ok(t, c, "002C000110"+h(puk1)+h(pin1))
	steps("unblocking by the PUK", 2)
}

// TestAGuessCostsWhatTheDocumentationSays.
func TestAGuessCostsWhatTheDocumentationSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	card, err := virtual.Open(path, virtual.As(virtual.MyEID500()), virtual.WithPIV(virtual.YubiKey57()))
	if err != nil {
		t.Fatal(err)
	}
	ok(t, connect(t, virtual.Single(card)), "00DA010113"+h(pin1)+h(puk1)+"030A14")
	card.Close()
	f, err := store.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := f.Records()
	if err != nil {
		t.Fatal(err)
	}
	want := seal.Cost{Time: 3, Memory: 64 * 1024, Threads: 4}
	for name, lock := range map[string]string{"pin/00000001": "CodeLock", "pivpin/80": "Lock", "pivpin/81": "Lock"} {
		var r map[string]json.RawMessage
		var l seal.Lock
		if json.Unmarshal(records[name], &r) != nil || json.Unmarshal(r[lock], &l) != nil || l.Cost != want {
			t.Errorf("%s costs %+v", name, l.Cost)
		}
	}
}

// TestTornCommandsLeaveWhatOpens: whatever a command had written when the
// power failed, the file opens, the PIN or its successor does, and so does all
// that it guards.
func TestTornCommandsLeaveWhatOpens(t *testing.T) {
	dir := t.TempDir()
	template := filepath.Join(dir, "template")
	card := open(t, template, virtual.Cheap())
	makeCard(t, connect(t, virtual.Single(card)))
	card.Close()
	whole, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	for name, commands := range map[string][]string{
		"VERIFY":                {"0020000108" + h(pin1)},
		"a wrong PIN":           {"0020000108" + h(newCode)},
		"CHANGE REFERENCE DATA": {"0024000110" + h(pin1) + h(newCode)},
		"RESET RETRY COUNTER":   {"002C000110" + h(puk1) + h(newCode)},
		"set by the SO":         {"0020000308" + h(pin3), "0024000108" + h(newCode)},
		"UPDATE BINARY":         {"0020000108" + h(pin1), "00A408000450154401", "00D6000020" + h(content)},
		"GENERATE KEY PAIR":     {"0020000108" + h(pin1), "00A4000C025015", "00E0000016 6214 81020100 820122 83024B02 86031111FF 85020000", "00460000"},
		"DELETE FILE":           {"0020000108" + h(pin1), "00A408000450154402", "00E40000"},
	} {
		t.Run(name, func(t *testing.T) {
			for writes, done := 1, false; !done; writes++ {
				path := filepath.Join(dir, "torn")
				if err := os.WriteFile(path, whole, 0o600); err != nil {
					t.Fatal(err)
				}
				card := open(t, path, virtual.Cheap())
				c := connect(t, virtual.Single(card))
				last := len(commands) - 1
				for _, command := range commands[:last] {
					ok(t, c, command)
				}
				card.SetFaults(virtual.Rules(virtual.At(1, virtual.Fault{Kind: virtual.Tear, Writes: writes})))
				_, err := c.Transmit(t.Context(), unhex(t, strings.ReplaceAll(commands[last], " ", "")))
				done = err == nil
				card.Close()
				hides(t, path, pin1, puk1, pin3, newCode, ecScalar, aesKey, content)

				card = open(t, path, virtual.Cheap())
				c = connect(t, virtual.Single(card))
				if send(t, c, "0020000108"+h(pin1)) != "9000" {
					ok(t, c, "0020000108"+h(newCode))
				}
				uses(t, c)
				card.Close()
			}
		})
	}
}

// BenchmarkFirstVerify is what the first right PIN after opening takes.
func BenchmarkFirstVerify(b *testing.B) {
	path := filepath.Join(b.TempDir(), "card")
	card := open(b, path)
	ok(b, connect(b, virtual.Single(card)), "00DA010113"+h(pin1)+h(puk1)+"030A14")
	card.Close()
	for b.Loop() {
		b.StopTimer()
		card := open(b, path)
		c := connect(b, virtual.Single(card))
		b.StartTimer()
		ok(b, c, "0020000108"+h(pin1))
		b.StopTimer()
		card.Close()
		b.StartTimer()
	}
}
