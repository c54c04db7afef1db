package seal_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	cheap = seal.Cost{Time: 1, Memory: 64, Threads: 1}
	code  = []byte("123456\xFF\xFF")
)

// TestALockOpensUnderItsCodeAndLabelAlone: and it does so after it was kept
// in JSON, as cards keep it.
func TestALockOpensUnderItsCodeAndLabelAlone(t *testing.T) {
	derived := 0
	kit := seal.Kit{Cost: cheap, Derived: func() { derived++ }}
	kept, err := json.Marshal(kit.Close(code, []byte("secret"), "here"))
	if err != nil {
		t.Fatal(err)
	}
	var l seal.Lock
	if err := json.Unmarshal(kept, &l); err != nil {
		t.Fatal(err)
	}
	if l.Refill([]byte("other"), "here") != nil {
		t.Error("a lock was refilled without its code")
	}
	for _, tt := range []struct {
		code, label string
		ok          bool
	}{
		{"123457\xFF\xFF", "here", false},
		{string(code), "there", false},
		{string(code), "here", true},
	} {
		secret, ok := kit.Open(&l, []byte(tt.code), tt.label)
		if ok != tt.ok || ok && string(secret) != "secret" {
			t.Errorf("%q %s: %q %v", tt.code, tt.label, secret, ok)
		}
	}
	if derived != 4 {
		t.Errorf("%d derivations, want one to close and one each to open", derived)
	}
	again := l.Refill([]byte("other"), "here")
	if secret, ok := kit.Open(again, code, "here"); !ok || string(secret) != "other" {
		t.Errorf("refilled: %q %v", secret, ok)
	}
	if derived != 5 {
		t.Error("a refill derived")
	}
}

func TestTheCostThatAFileAsksForIsBounded(t *testing.T) {
	kit := seal.Kit{Cost: cheap, Derived: func() { t.Error("an unbearable cost was paid") }}
	good := seal.Kit{Cost: cheap}.Close(code, []byte("secret"), "")
	for _, cost := range []seal.Cost{
		{}, {1, 1 << 30, 1}, {1 << 30, 64, 1}, {1, 64, 0}, {1, 64, 255}, {0, 64, 1}, {1, 7, 1},
	} {
		l := &seal.Lock{Cost: cost, Salt: good.Salt, Sealed: good.Sealed}
		if _, ok := kit.Open(l, code, ""); ok || l.Valid() {
			t.Errorf("%+v was taken", cost)
		}
	}
	for _, l := range []*seal.Lock{nil, {Cost: cheap}, {Cost: cheap, Salt: good.Salt, Sealed: make([]byte, 1<<20)}} {
		if l.Valid() {
			t.Errorf("%+v was taken", l)
		}
	}
	if got, want := seal.Standard(), (seal.Cost{Time: 3, Memory: 64 * 1024, Threads: 4}); got != want || !good.Valid() {
		t.Errorf("standard cost %+v", got)
	}
}

func newPair(t *testing.T) *seal.Pair {
	t.Helper()
	pair, err := seal.NewPair()
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestAnyoneSealsAndThePrivateHalfOpens(t *testing.T) {
	pair := newPair(t)
	public, err := seal.ParsePair(pair.Public())
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := public.Seal([]byte("secret"), "here")
	if err != nil || bytes.Contains(sealed, []byte("secret")) {
		t.Fatal(err)
	}
	if _, err := public.Open(sealed, "here"); err == nil || public.Unlocked() || public.Private() != nil {
		t.Error("opened without the private half")
	}
	if err := public.Unlock(newPair(t).Private()); err == nil {
		t.Error("unlocked by another pair's half")
	}
	if err := public.Unlock(pair.Private()); err != nil {
		t.Fatal(err)
	}
	if secret, err := public.Open(sealed, "here"); err != nil || string(secret) != "secret" {
		t.Errorf("%q, %v", secret, err)
	}
	if _, err := public.Open(sealed, "there"); err == nil {
		t.Error("opened in another place")
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x10
		if _, err := public.Open(bad, "here"); err == nil {
			t.Errorf("byte %d does not matter", i)
		}
	}
	if _, err := public.Open(sealed[:40], "here"); err == nil {
		t.Error("opened a part")
	}
}

func TestPublicHalvesOfForgersAreRefused(t *testing.T) {
	if _, err := seal.ParsePair([]byte("short")); err == nil {
		t.Error("a short public half was taken")
	}
	if _, err := seal.ParsePair(append([]byte{4}, make([]byte, 64)...)); err == nil {
		t.Error("a point that is not on the curve was taken")
	}
}
