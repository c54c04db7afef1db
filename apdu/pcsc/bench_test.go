//go:build linux

package pcsc

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// BenchmarkTransmit compares the clients: one short exchange with a virtual
// card behind vpcd.
func BenchmarkTransmit(b *testing.B) {
	d := pcscdtest.Start(b)
	d.Plug(b, 0, virtual.New())
	for name, s := range services(d) {
		b.Run(name, func(b *testing.B) {
			t := connected(b, newProvider(s), pcscdtest.Readers[0])
			defer t.Close()
			command := []byte{0x00, 0xCA, 0x01, 0xA0, 0x14}
			for b.Loop() {
				if _, err := t.Transmit(b.Context(), command); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
