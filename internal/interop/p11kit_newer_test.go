package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// newerRoot names a root directory with programs of a later release of Debian:
// its p11-kit-client.so speaks version 1 of the protocol, and lets ECDH, ECDSA
// and PSS with hashing, and OAEP with a label through.
const newerRoot = "CRYPTOKI_NEWER_ROOT"

// newerTools serves a card to the programs there and returns a function that
// runs one of them in the directory dir, with the path of p11-kit-client.so for
// MODULE at the end of an argument, and the directory of their headers.
func newerTools(t *testing.T, card *virtual.Card) (dir, include string, tool func(name string, args ...string) string) {
	t.Helper()
	root := os.Getenv(newerRoot)
	if root == "" || os.Getuid() != 0 {
		pcscdtest.Lacks(t, "programs of a later release, and the right to run them ("+newerRoot+")")
	}
	found, _ := filepath.Glob(filepath.Join(root, "usr/lib/*/pkcs11/p11-kit-client.so"))
	if len(found) == 0 {
		t.Fatalf("no p11-kit-client.so in %s", root)
	}
	module, err := filepath.Rel(root, found[0])
	if err != nil {
		t.Fatal(err)
	}
	include = filepath.Join(root, "usr/include/p11-kit-1")
	dir, err = os.MkdirTemp(filepath.Join(root, "tmp"), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	serve(t, card, filepath.Join(dir, "socket"))
	inside := filepath.Join("/tmp", filepath.Base(dir))
	return dir, include, func(name string, args ...string) string {
		t.Helper()
		script := `cd "$1" && shift && exec "$@"`
		all := append([]string{root, "/bin/sh", "-c", script, "sh", inside, name}, args...)
		for i, a := range all {
			if before, ok := strings.CutSuffix(a, "MODULE"); ok {
				all[i] = before + "/" + module
			}
		}
		cmd := exec.Command("chroot", all...)
		cmd.Env = append(os.Environ(), "P11_KIT_SERVER_ADDRESS=unix:path="+filepath.Join(inside, "socket"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
}

// A later release's programs do what those of TestP11KitServesPKCS11Tool cannot:
// derive, and hash and sign in one, by a later version of the protocol.
func TestP11KitServesNewerClients(t *testing.T) {
	dir, _, run := newerTools(t, virtual.New())
	tool := func(args ...string) string {
		t.Helper()
		return run("pkcs11-tool", append([]string{"--module", "MODULE"}, args...)...)
	}
	user := func(args ...string) string {
		t.Helper()
		return tool(append([]string{"--login", "--pin", userPIN}, args...)...)
	}
	write := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	contains(t, tool("-I"), "Cryptoki version 3.0")
	tool("--init-token", "--label", "served", "--so-pin", soPIN)
	tool("--login", "--login-type", "so", "--so-pin", soPIN, "--init-pin", "--pin", userPIN)
	user("--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--label", "rsa")
	user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "02", "--label", "ec", "--usage-sign")
	user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "03", "--label", "kx", "--usage-derive")
	contains(t, user("--test"), "No errors")
	key := func(id string) any {
		t.Helper()
		tool("--read-object", "--type", "pubkey", "--id", id, "-o", "key")
		return derKey(t, filepath.Join(dir, "key"))
	}

	theirs, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(theirs.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	write("theirs", der)
	user("--derive", "--id", "03", "-m", "ECDH1-DERIVE", "-i", "theirs", "-o", "secret")
	ours, err := key("03").(*ecdsa.PublicKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	want, err := theirs.ECDH(ours)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "secret")); !bytes.Equal(got, want) {
		t.Errorf("derived %x, not %x", got, want)
	}

	message := []byte("hashed and signed by the card's module")
	digest := sha256.Sum256(message)
	write("in", message)
	user("--sign", "--id", "02", "-m", "ECDSA-SHA256", "--signature-format", "openssl", "-i", "in", "-o", "sig")
	ec := key("02").(*ecdsa.PublicKey)
	if ec.Curve != elliptic.P256() || !ecdsa.VerifyASN1(ec, digest[:], read(t, filepath.Join(dir, "sig"))) {
		t.Error("ECDSA-SHA256: the signature is bad")
	}
	rsaKey := key("01").(*rsa.PublicKey)
	user("--sign", "--id", "01", "-m", "SHA256-RSA-PKCS-PSS", "-i", "in", "-o", "sig")
	if err := rsa.VerifyPSS(rsaKey, crypto.SHA256, digest[:], read(t, filepath.Join(dir, "sig")), nil); err != nil {
		t.Errorf("SHA256-RSA-PKCS-PSS: %v", err)
	}
	tool("--verify", "--id", "01", "-m", "SHA256-RSA-PKCS-PSS", "-i", "in", "--signature-file", "sig")

	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, rsaKey, message, nil)
	if err != nil {
		t.Fatal(err)
	}
	write("sealed", sealed)
	user("--decrypt", "--id", "01", "-m", "RSA-PKCS-OAEP", "--hash-algorithm", "SHA256", "-i", "sealed", "-o", "opened")
	if got := read(t, filepath.Join(dir, "opened")); !bytes.Equal(got, message) {
		t.Errorf("decrypted %q", got)
	}

	gnutls := func(args ...string) string {
		t.Helper()
		return run("p11tool", append([]string{"--provider", "MODULE", "--login", "--set-pin", userPIN}, args...)...)
	}
	gnutls("--generate-ecc", "--curve", "secp256r1", "--label", "p11", "--outfile", "p11.pub", "pkcs11:token=served")
	contains(t, gnutls("--list-all", "pkcs11:token=served"), "object=p11", "object=rsa")
	contains(t, gnutls("--test-sign", "pkcs11:token=served;object=p11"), "Signing using ECDSA-SHA256... ok")
}

// A program of its own calls what none that is ready-made does: the functions
// of PKCS #11 3.0, nested templates, and all mechanisms with parameters that
// clients let through.
func TestP11KitServesProgramsOf30(t *testing.T) {
	card, err := cardtest.Card(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, include, run := newerTools(t, card)
	source, err := filepath.Abs("testdata/newer.c")
	if err != nil {
		t.Fatal(err)
	}
	cc := exec.Command("gcc", "-Wall", "-Werror", "-I", include, "-o", filepath.Join(dir, "newer"), source, "-ldl")
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run("./newer", "MODULE", cardtest.PIN)
}
