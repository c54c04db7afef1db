package faults_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// What takes its time is done in full with flags only.
var (
	exhaustive = flag.Bool("exhaustive", false, "let every exchange of TestExhaustive go wrong, not only some")
	long       = flag.Bool("long", false, "kill, cancel and hurry as often as docs/robustness.md says, not only a few times")
	kills      = flag.Int("kills", 0, "how often E6 kills a process, if not 0")
)

// times is how often something is done: few times, or with -long many.
func times(few, many int) int {
	if *long {
		return many
	}
	return few
}

// TestMain turns a child of the tests into what its parent wants it to be. At
// the end no goroutine may be left.
func TestMain(m *testing.M) {
	flag.Parse()
	if role := os.Getenv("FAULTS_CHILD"); role != "" {
		os.Exit(child(role))
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
