package fingerprint

import (
	"crypto/fips140"
	"encoding/hex"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FIPS 180-2 appendix A.1.
func TestSHA1(t *testing.T) {
	sum := SHA1([]byte("abc"))
	if got := hex.EncodeToString(sum[:]); got != "a9993e364706816aba3e25717850c26c9cd0d89d" {
		t.Errorf("got %s", got)
	}
}

// A program that permits approved algorithms only has names, too.
func TestNamesWhereOnlyFIPS140IsAllowed(t *testing.T) {
	if fips140.Enforced() {
		return // this is that program, in which TestSHA1 runs
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestSHA1$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
