package pkcs15_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// A PUK that is shorter than the card has them is not sent, for it would cost
// one of its tries.
func TestPUKsOfImpossibleLengthReachNoCard(t *testing.T) {
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int32
			card := virtual.New(virtual.As(p), virtual.Observe(func(command, _ []byte) {
				if command[1] == 0x2C {
					sent.Add(1)
				}
			}))
			s := userSession(t, card)
			for _, c := range []struct {
				puk  string
				code ckr.Code
				sent int32
			}{
				{"", ckr.PINLenRange, 0}, {"123", ckr.PINLenRange, 0}, {"123456789", ckr.PINLenRange, 0},
				{"1234", ckr.PINIncorrect, 1}, {"12345678", ckr.PINIncorrect, 1},
			} {
				sent.Store(0)
				err := s.UnblockPIN(t.Context(), token.NewPIN([]byte(c.puk)), token.NewPIN([]byte("654321")))
				if ckr.Of(err) != c.code || sent.Load() != c.sent {
					t.Errorf("%s: %d commands, %v", fmt.Sprintf("%d bytes", len(c.puk)), sent.Load(), err)
				}
			}
		})
	}
}
