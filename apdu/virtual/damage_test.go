package virtual_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// TestDamageAnywhereIsRefusedOrHarmless flips a bit in a card's file, at every
// byte that is not zero and at many that are. Either Open refuses, with a
// reason and the file as it is, or the card is what it was: with the tries
// that are left, not those before.
func TestDamageAnywhereIsRefusedOrHarmless(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "card")
	card := open(t, path, virtual.Cheap())
	c := connect(t, virtual.Single(card))
	makeCard(t, c)
	for _, want := range []string{"63C2", "63C1"} {
		if got := send(t, c, "0020000108"+h(newCode)); got != want {
			t.Fatal(got)
		}
	}
	card.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused, harmless := 0, 0
	bad := filepath.Join(dir, "bad")
	for at := range whole {
		if whole[at] == 0 && at%509 != 0 {
			continue
		}
		damaged := bytes.Clone(whole)
		damaged[at] ^= 1 << (at % 8)
		if err := os.WriteFile(bad, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		card, err := virtual.Open(bad, virtual.Cheap())
		if err != nil {
			refused++
			if !errors.Is(err, virtual.ErrDamaged) && !errors.Is(err, virtual.ErrForeign) && !errors.Is(err, virtual.ErrNewer) {
				t.Errorf("byte %d: %v", at, err)
			}
			if after, _ := os.ReadFile(bad); !bytes.Equal(damaged, after) {
				t.Errorf("byte %d: a refused file was changed", at)
			}
			continue
		}
		harmless++
		c := connect(t, virtual.Single(card))
		if got := send(t, c, "00200001"); got != "63C1" {
			t.Errorf("byte %d: PIN state %s", at, got)
		}
		ok(t, c, "0020000108"+h(pin1))
		uses(t, c)
		card.Close()
	}
	t.Logf("%d refused, %d harmless", refused, harmless)
	if refused == 0 || harmless == 0 {
		t.Errorf("%d refused, %d harmless", refused, harmless)
	}
}
