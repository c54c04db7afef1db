package power_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/power"
)

func TestPowerFailsAfterItsLastWrite(t *testing.T) {
	var s power.Supply
	for _, tt := range []struct {
		after, want int
		cut         bool
	}{{0, 3, false}, {1, 1, true}, {2, 2, true}, {3, 3, true}, {4, 3, false}, {0, 3, false}, {-1, 3, false}} {
		s.FailAfter(tt.after)
		done := 0
		answer, cut := s.Run(func() []byte {
			for range 3 {
				done++
				s.Wrote()
			}
			return []byte{0x90, 0x00}
		})
		if done != tt.want || cut != tt.cut || (answer == nil) != cut {
			t.Errorf("after %d: %d writes, answer %X, cut %v", tt.after, done, answer, cut)
		}
	}
}

func TestOtherPanicsPass(t *testing.T) {
	var s power.Supply
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("recovered %v", p)
		}
	}()
	s.Run(func() []byte { panic("mine") })
}
