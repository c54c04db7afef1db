//go:build linux

package interop

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/conformance"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
	"github.com/go-cryptoki/cryptoki/token"
)

// scdaemon is where Debian has it.
const scdaemon = "/usr/lib/gnupg/scdaemon"

// thorough is set where time does not matter: then the long tests take as long
// as they are meant to.
var thorough = pcscdtest.Required()

// TestPCSC runs this library through a pcscd of its own, with the client that
// is built in: that of package pcscd, or with the tag pcsclite the C library.
func TestPCSC(t *testing.T) {
	pcscdtest.Need(t, "pkcs15-init", "pkcs11-tool", "opensc-tool", scdaemon)
	d := pcscdtest.Start(t)
	t.Setenv("PCSCLITE_CSOCK_NAME", d.Socket())
	for _, test := range []struct {
		name string
		run  func(*testing.T, *pcscdtest.Daemon)
	}{
		{"conformance", conforms},
		{"conformance by T=0", conformsByT0},
		{"cancelled and closed while the card computes", cancelled},
		{"pcscd is killed and comes again", restarted},
		{"with OpenSC, scdaemon and resets at once", crowded},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, d) })
	}
}

func readers(t *testing.T) *pcsc.Provider {
	t.Helper()
	p, err := pcsc.Open()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// inserted puts a card into the left reader, as soon as it is empty, and waits
// until it is seen.
func inserted(t *testing.T, d *pcscdtest.Daemon, card *virtual.Card) {
	t.Helper()
	seen := func(present bool) {
		pcscdtest.Eventually(t, "the card to come or go", func() bool { return isPresent(t) == present })
	}
	seen(false)
	d.Plug(t, 0, card)
	seen(true)
}

func isPresent(t *testing.T) bool {
	for e, err := range readers(t).Watch(t.Context()) {
		if err != nil {
			return false
		}
		if e.Reader == pcscdtest.Readers[0] {
			return e.Present
		}
	}
	return false
}

// openModule opens this library on the readers of pcscd, and finds the token.
func openModule(t *testing.T, p *pcsc.Provider) (*cryptoki.Module, token.Token) {
	t.Helper()
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m, conformance.TokenIn(t, m, pcscdtest.Readers[0])
}

func conforms(t *testing.T, d *pcscdtest.Daemon) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		inserted(t, d, virtual.New())
		return conformance.Virtual(t, readers(t), pcscdtest.Readers[0])
	})
}

// conformsByT0 is the same with a card that offers both protocols, of which
// pcscd takes the first.
func conformsByT0(t *testing.T, d *pcscdtest.Daemon) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		inserted(t, d, virtual.New(virtual.As(virtual.OsEID452())))
		return conformance.Virtual(t, readers(t), pcscdtest.Readers[0])
	})
}

// quick fails the test if something took too long.
func quick(t *testing.T, what string, most time.Duration, do func()) {
	t.Helper()
	start := time.Now()
	do()
	if d := time.Since(start); d > most {
		t.Errorf("%s took %v, at most %v are allowed", what, d, most)
	}
}

// nothingLeft checks, when all else has been cleaned up, that there are neither
// descriptors nor goroutines left.
func nothingLeft(t *testing.T) {
	descriptors := func() int {
		entries, _ := os.ReadDir("/proc/self/fd")
		return len(entries)
	}
	before, running := descriptors(), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		pcscdtest.Eventually(t, "descriptors to be closed", func() bool { return descriptors() <= before })
		if err := goleak.Find(running); err != nil {
			t.Error(err)
		}
	})
}

// A card that computes for ever holds up neither a caller that gives up nor the
// end of the program.
func cancelled(t *testing.T, d *pcscdtest.Daemon) {
	nothingLeft(t)
	release, hang := make(chan struct{}), make(chan struct{})
	card := virtual.New(virtual.Faults(func(int, []byte) virtual.Fault {
		select {
		case <-hang:
			<-release
		default:
		}
		return virtual.Fault{}
	}))
	inserted(t, d, card)
	conformance.Virtual(t, readers(t), pcscdtest.Readers[0])
	m, tok := openModule(t, readers(t))
	s := login(t, tok)
	close(hang)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	quick(t, "a cancelled call", 120*time.Millisecond, func() {
		if _, err := s.Random(ctx, 16); ckr.Of(err) != ckr.FunctionCanceled {
			t.Errorf("a cancelled call: %v", err)
		}
	})
	quick(t, "Close", time.Second, func() { m.Close() })
	close(release)
}
