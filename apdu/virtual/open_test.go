package virtual_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func open(t testing.TB, path string, opts ...virtual.Option) *virtual.Card {
	t.Helper()
	card, err := virtual.Open(path, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { card.Close() })
	return card
}

func TestACardInAFileIsTheSameNextTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	card := open(t, path, virtual.As(virtual.OsEID452()), virtual.Capacity(1<<10))
	c := connect(t, virtual.Single(card))
	initialise(t, c)
	ok(t, c, verifyPIN)
	ok(t, c, "00A4000C025015")
	ok(t, c, "00E0000016 6214 81020100 820122 83024B01 86031111FF 85020000")
	ok(t, c, "00460000")
	point, info := ok(t, c, "00CA018600"), ok(t, c, "00CA01A000")
	send(t, c, "0020000108 3939393939393939")
	if err := card.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, c, apdu.ErrRemoved)

	// What it was made with stays, whatever is asked for now.
	card = open(t, path, virtual.As(virtual.MyEID500()))
	if string(card.ATR()) != string(virtual.OsEID452().ATR) {
		t.Errorf("ATR %X", card.ATR())
	}
	c = connect(t, virtual.Single(card))
	if got := send(t, c, "00200001"); got != "63C2" {
		t.Errorf("PIN state %s", got)
	}
	if got := ok(t, c, "00CA01A000"); got != info {
		t.Errorf("applet information %s, want %s", got, info)
	}
	ok(t, c, "00A40800045015 4B01 00")
	if got := ok(t, c, "00CA018600"); got != point {
		t.Errorf("public key %s, want %s", got, point)
	}
	ok(t, c, verifyPIN)
	ok(t, c, "002241B60A80010481024B01840100")
	ok(t, c, "002A9E9A20"+strings.Repeat("11", 32)+"00")
	if got := send(t, c, "00E000000D620B 80020800 820101 83024444"); got != "6A84" {
		t.Errorf("beyond the capacity: %s", got)
	}
}

func TestSerialNumbersDiffer(t *testing.T) {
	dir := t.TempDir()
	a := connect(t, virtual.Single(open(t, filepath.Join(dir, "a"))))
	b := connect(t, virtual.Single(open(t, filepath.Join(dir, "b"))))
	if x, y := ok(t, a, "00CA01A000"), ok(t, b, "00CA01A000"); x == y {
		t.Errorf("both are %s", x)
	}
}

func TestACardFileIsOpenedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	card := open(t, path)
	if _, err := virtual.Open(path); !errors.Is(err, apdu.ErrInUse) {
		t.Errorf("second opener: %v, want %v", err, apdu.ErrInUse)
	}
	card.Close()
	open(t, path)
}

func TestFilesThatAreNoCards(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	os.WriteFile(text, []byte(strings.Repeat("dear diary\n", 1000)), 0o600)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "nothing"), link); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	os.WriteFile(empty, nil, 0o600)
	for path, want := range map[string]error{
		text: virtual.ErrForeign, link: virtual.ErrForeign, dir: virtual.ErrForeign, empty: virtual.ErrDamaged,
		filepath.Join(dir, "none", "card"): os.ErrNotExist,
	} {
		if _, err := virtual.Open(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	if b, _ := os.ReadFile(text); !strings.HasPrefix(string(b), "dear diary") {
		t.Error("the file was overwritten")
	}
}
