package identity_test

import (
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	steps = flag.Int("steps", 0, "steps of TestWalk and TestRush in all; 0 is some seconds' worth")
	seed  = flag.Uint64("seed", 99, "seed of TestWalk and TestRush; 0 draws one")
	only  = flag.String("world", "", "the only world of TestWalk and TestRush, by its name; empty is all")
)

// seedOf returns the seed of a test, and prints it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", s)
	return s
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
