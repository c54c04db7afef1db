//go:build linux

package interop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
	"github.com/go-cryptoki/cryptoki/token"
)

// newerBench plugs a card into a reader of a later release's pcscd, which has
// the name of a YubiKey's, and returns a function that runs a program of that
// release in the directory dir, which it sees as inside.
func newerBench(t *testing.T, card *virtual.Card) (dir, inside string, run func(name string, args ...string) string) {
	t.Helper()
	root := os.Getenv(newerRoot)
	if root == "" || os.Getuid() != 0 {
		pcscdtest.Lacks(t, "programs of a later release, and the right to run them ("+newerRoot+")")
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "card")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	inside = filepath.Join("/tmp", filepath.Base(dir))
	address := daemonIn(t, root, dir, inside, "Yubico YubiKey CCID")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- card.Plug(ctx, address) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	command := func(name string, args ...string) *exec.Cmd {
		script := `cd "$1" && shift && exec "$@"`
		cmd := exec.Command("chroot", append([]string{root, "/bin/sh", "-c", script, "sh", inside, name}, args...)...)
		cmd.Env = append(os.Environ(), "GNUPGHOME="+inside)
		return cmd
	}
	pcscdtest.Eventually(t, "the card to be seen", func() bool {
		out, _ := command("opensc-tool", "-l").CombinedOutput()
		return strings.Contains(string(out), " Yes ")
	})
	return dir, inside, func(name string, args ...string) string {
		t.Helper()
		out, err := command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
}

// A user of ykman sets a YubiKey up, and this library uses what is there.
func TestYubiKeyManager(t *testing.T) {
	p := virtual.YubiKey57()
	p.Serial = 12345678
	card := virtual.New(virtual.WithPIV(p))
	_, _, run := newerBench(t, card)
	piv := func(line string) string {
		t.Helper()
		line = strings.NewReplacer("ADMIN", "-m "+pivKey, "USER", "-P "+pivPIN).Replace(line)
		return run("ykman", append([]string{"--device", "12345678", "piv"}, strings.Fields(line)...)...)
	}
	contains(t, run("ykman", "list"), "YubiKey 5A (5.7.1) [CCID] Serial: 12345678")
	contains(t, piv("info"), "5.7.1", "AES192", "Using default PIN")
	for slot, algorithm := range map[string]string{"9a": "ECCP256", "9c": "RSA2048", "82": "ED25519", "83": "X25519"} {
		piv("keys generate ADMIN -a " + algorithm + " " + slot + " pub.pem")
		contains(t, piv("keys info "+slot), algorithm, "GENERATED")
		piv("keys attest " + slot + " attest.pem")
		piv("certificates export f9 f9.pem")
		contains(t, run("openssl", "verify", "-partial_chain", "-CAfile", "f9.pem", "attest.pem"), "OK")
		if algorithm == "X25519" {
			continue
		}
		piv("certificates request USER -s CN=" + slot + " " + slot + " pub.pem request.pem")
		contains(t, run("openssl", "req", "-in", "request.pem", "-verify", "-noout"), "OK")
		piv("certificates generate ADMIN USER -s CN=" + slot + " " + slot + " pub.pem")
	}
	run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=brought", "-days", "3")
	piv("keys import ADMIN 84 key.pem")
	piv("certificates import ADMIN USER --verify --compress 84 cert.pem")
	piv("keys move ADMIN 84 85")
	piv("objects generate ADMIN CCC")
	piv("access change-puk -p " + pivPUK + " -n 87654321")
	piv("access unblock-pin -p 87654321 -n " + pivPIN)
	piv("access change-management-key ADMIN --algorithm AES256 --generate --protect USER -f")
	piv("keys generate USER -a ECCP384 9d pub.pem") // the PIN gives the management key
	contains(t, piv("info"), "AES256", "protected by PIN", "CN=9a", "CN=9c", "Slot 85")

	useYubiKey(t, card)

	piv("access set-retries USER 4 5 -f")
	contains(t, piv("info"), "4/4", "5/5")
	piv("reset -f")
	contains(t, piv("info"), "3/3", "Using default Management key")
}

// useYubiKey signs with the keys for authentication and signatures.
func useYubiKey(t *testing.T, card *virtual.Card) {
	t.Helper()
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(card)),
		cryptoki.WithPIN(token.StaticPIN([]byte(pivPIN))))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	digest := sha256.Sum256([]byte("x"))
	for _, id := range []string{"%01", "%02"} {
		key, err := m.Key(t.Context(), "pkcs11:type=private;id="+id)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := key.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		switch pub := key.Public().(type) {
		case *ecdsa.PublicKey:
			if !ecdsa.VerifyASN1(pub, digest[:], sig) {
				t.Error("ECDSA: the signature is bad")
			}
		case *rsa.PublicKey:
			if err := rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig); err != nil {
				t.Error(err)
			}
		}
	}
}

// pinentry tells the PIN to whoever asks.
const pinentry = `#!/bin/sh
echo "OK ready"
while read -r line; do
	case $line in
	GETPIN*) echo "D ` + pivPIN + `"; echo OK ;;
	BYE*) echo OK; exit ;;
	*) echo OK ;;
	esac
done
`

// A user of GnuPG 2.4 makes keys on a YubiKey and signs with them.
func TestGnuPGCard(t *testing.T) {
	p := virtual.YubiKey57()
	p.Serial = 12345678
	p.ManagementAlgorithm = 0x03 // the one that GnuPG knows
	dir, inside, run := newerBench(t, virtual.New(virtual.WithPIV(p)))
	put(t, dir, "scdaemon.conf", "disable-ccid\npcsc-shared\n")
	put(t, dir, "gpg-agent.conf", "pinentry-program "+inside+"/pinentry\n")
	put(t, dir, "pinentry", pinentry)
	if err := os.Chmod(filepath.Join(dir, "pinentry"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { run("gpgconf", "--kill", "all") })
	contains(t, run("gpg-card", "list"), "yubikey", "5.7.1", "12 345 678", "PIV")
	out := run("gpg-card", "auth", pivKey, "--", "generate", "--algo=nistp256", "PIV.9A", "--", "generate", "--algo=rsa2048", "PIV.9C", "--", "list")
	contains(t, out, "nistp256", "rsa2048")
	contains(t, run("gpg-card", "verify", "PIV.80", "--", "list"), "[verified]")
	set := fmt.Sprintf("scd setdata %X", sha256.Sum256([]byte("x")))
	out = run("gpg-connect-agent", "--hex", "scd serialno piv", set, "scd pkauth PIV.9A", set, "scd pksign --hash=sha256 PIV.9C", "/bye")
	if strings.Contains(out, "ERR ") {
		t.Errorf("gpg-connect-agent:\n%s", out)
	}
}
