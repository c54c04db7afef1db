package virtual_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// version1 unpacks a card file of version 1, with keys and PINs in clear: a
// MyEID card as makeCard makes it, with two of three tries left at PIN 1, and
// a YubiKey with the keys 9A, 9C and 9E and printed information.
func version1(t testing.TB, path string) {
	t.Helper()
	packed, err := os.Open("testdata/version1.card.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

var secrets1 = []string{pin1, puk1, pin3, puk3, pivPIN, pivPUK, ecScalar, aesKey, content, printed, scalar9A, scalar9C}

// worksAsVersion1 checks that a card is the one of version 1.
func worksAsVersion1(t *testing.T, c apdu.Transport) {
	t.Helper()
	ok(t, c, "00A40400 0C A000000063504B43532D3135")
	if got := send(t, c, "00200001"); got != "63C2" {
		t.Errorf("PIN state %s", got)
	}
	ok(t, c, "0020000108"+h(pin1))
	uses(t, c)
	ok(t, c, "00A40400 05 A000000308 00")
	hash := "7C24 8200 8120" + h(printed+"......") + "00"
	ok(t, c, "0087119E26"+hash)
	if got := send(t, c, "0087119A26"+hash); got != "6982" {
		t.Errorf("9A without the PIN: %s", got)
	}
	ok(t, c, "0020008008"+h(pivPIN))
	ok(t, c, "0087119C26"+hash)
	ok(t, c, "0087119A26"+hash)
	if got := ok(t, c, "00CB3FFF055C035FC10900"); got != "531A"+h(printed) {
		t.Errorf("printed information %s", got)
	}
}

// TestFilesOfVersion1AreSealed when they are opened, with nothing lost and no
// trace left.
func TestFilesOfVersion1AreSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	version1(t, path)
	raw, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(raw, []byte(content)) {
		t.Fatal("the file of version 1 is not one", err)
	}
	card := open(t, path, virtual.Cheap())
	hides(t, path, secrets1...)
	worksAsVersion1(t, connect(t, virtual.Single(card)))
	card.Close()
	hides(t, path, secrets1...)

	n := 0
	card = open(t, path, virtual.CountDerivations(&n))
	if n != 0 {
		t.Errorf("%d derivations: it was sealed again", n)
	}
	c := connect(t, virtual.Single(card))
	ok(t, c, "00A40400 0C A000000063504B43532D3135")
	ok(t, c, "002C000110"+h(puk1)+h(newCode))
	ok(t, c, "0020000108"+h(newCode))
	uses(t, c)
	ok(t, c, "00A40400 05 A000000308 00")
	ok(t, c, "002C008010"+h(pivPUK)+h(newCode))
	ok(t, c, "0020008008"+h(newCode))
	hides(t, path, append(secrets1, newCode)...)
}

// TestDamagedFilesOfVersion1AreLeftAlone: they are not sealed before all of
// them was read.
func TestDamagedFilesOfVersion1AreLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	version1(t, path)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{content, "OsEID", `"Code"`, "PKCS8"} {
		bad := bytes.ReplaceAll(raw, []byte(s), bytes.ToUpper([]byte("x"+s[1:])))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := virtual.Open(path, virtual.Cheap()); !errors.Is(err, virtual.ErrDamaged) {
			t.Errorf("%s damaged: %v, want %v", s, err, virtual.ErrDamaged)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(bad, after) {
			t.Error("a refused file was changed")
		}
	}
}
