package faults_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var exhaustive = flag.Bool("exhaustive", false, "let every exchange of TestExhaustive go wrong, not only some")

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
