//go:build windows

package interop

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/conformance"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// TestWindows runs this library through the winscard.dll of the system, on a
// card that it puts into the virtual reader itself.
func TestWindows(t *testing.T) {
	address, reader := os.Getenv(vpcdAddress), os.Getenv(vpcdReader)
	if address == "" || reader == "" {
		pcscdtest.Lacks(t, "a virtual reader ("+vpcdAddress+", "+vpcdReader+")")
	}
	t.Run("conformance", func(t *testing.T) {
		conformance.Run(t, func(t *testing.T) conformance.Fixture {
			p, err := pcsc.Open()
			if err != nil {
				t.Fatal(err)
			}
			plugged(t, p, virtual.New(), address, reader)
			return conformance.Virtual(t, p, reader)
		})
	})
}

// plugged puts a card into the reader, once that is empty, until the test ends.
func plugged(t *testing.T, p *pcsc.Provider, card *virtual.Card, address, reader string) {
	t.Helper()
	comes(t, p, reader, false)
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan struct{})
	go func() {
		defer close(out)
		card.Plug(ctx, address)
	}()
	t.Cleanup(func() {
		cancel()
		<-out
	})
	comes(t, p, reader, true)
}

// comes waits until the reader has a card, or none.
func comes(t *testing.T, p *pcsc.Provider, reader string, present bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for e, err := range p.Watch(ctx) {
		if err != nil {
			t.Fatalf("waited in vain for the reader to have a card: %v, %v", present, err)
		}
		if e.Reader == reader && e.Present == present {
			return
		}
	}
}
