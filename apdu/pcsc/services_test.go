//go:build linux

package pcsc

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// connected connects to the card in a reader as soon as it is there.
func connected(t testing.TB, p *Provider, reader string) apdu.Transport {
	t.Helper()
	var transport apdu.Transport
	pcscdtest.Eventually(t, "a card in "+reader, func() bool {
		var err error
		transport, err = p.Connect(t.Context(), reader)
		return err == nil
	})
	return transport
}
