package pcscdtest

import (
	"os"
	"testing"
)

// Required tells whether the programs that judge this library must be there:
// INTEROP=require is in the environment, as it is in CI.
func Required() bool { return os.Getenv("INTEROP") == "require" }

// Lacks ends a test for what a machine lacks: it fails where that is required.
// Elsewhere it is skipped, for whoever has Go alone can do nothing about it.
func Lacks(t testing.TB, what string) {
	t.Helper()
	if Required() {
		t.Fatalf("missing: %s", what)
	}
	t.Skipf("missing: %s", what)
}
