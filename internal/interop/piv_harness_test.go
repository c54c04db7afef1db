//go:build linux

package interop

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// PIVs as the cards are made.
const (
	pivPIN = virtual.DefaultPIVPIN
	pivPUK = virtual.DefaultPIVPUK
	pivKey = "010203040506070801020304050607080102030405060708"
)

// bench is a PIV card in a reader of a pcscd of its own, and the programs that
// use it there.
type bench struct {
	*testing.T
	card *virtual.Card
	env  []string
	dir  string
}

// pivBench plugs a card into a reader whose name begins with "Yubico", which is
// what ykcs11 looks for.
func pivBench(t *testing.T, card *virtual.Card, tools ...string) *bench {
	t.Helper()
	pcscdtest.Need(t, append(tools, "opensc-tool")...)
	d := pcscdtest.StartAs(t, "Yubico YubiKey")
	d.Plug(t, 0, card)
	b := &bench{T: t, card: card, dir: t.TempDir(), env: append(os.Environ(), "PCSCLITE_CSOCK_NAME="+d.Socket())}
	pcscdtest.Eventually(t, "the card to be seen", func() bool {
		out, _ := b.try("opensc-tool", "-l")
		return strings.Contains(out, " Yes ")
	})
	return b
}

// try runs a program and returns what it prints.
func (b *bench) try(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Dir = b.env, b.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run runs a program that must succeed.
func (b *bench) run(name string, args ...string) string {
	b.Helper()
	cmd := exec.Command(name, args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = b.env, b.dir, &out, &errs
	if err := cmd.Run(); err != nil {
		b.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// write puts a file into the folder that the programs run in.
func (b *bench) write(name string, content []byte) string {
	b.Helper()
	path := b.dir + "/" + name
	if err := os.WriteFile(path, content, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// ykcs11 is Yubico's PKCS #11 module.
func ykcs11(t *testing.T) string {
	t.Helper()
	for _, p := range []string{"/usr/lib/x86_64-linux-gnu/libykcs11.so.2", "/usr/lib/x86_64-linux-gnu/libykcs11.so", "/usr/lib/libykcs11.so", "/usr/lib/aarch64-linux-gnu/libykcs11.so.2"} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	pcscdtest.Lacks(t, "ykcs11")
	return ""
}
