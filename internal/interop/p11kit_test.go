package interop

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
	"github.com/go-cryptoki/cryptoki/p11kit"
)

// p11kitServer serves an initialised card to programs in C and points the
// programs that the test runs to it. It returns the path of their module.
func p11kitServer(t *testing.T, card *virtual.Card) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/pkcs11/p11-kit-client.so")
	for _, tool := range []string{"pkcs11-tool", "p11tool", "openssl", "curl", "ssh-keygen"} {
		if _, err := exec.LookPath(tool); err != nil {
			pcscdtest.Lacks(t, tool)
		}
	}
	if len(found) == 0 {
		pcscdtest.Lacks(t, "p11-kit-client.so (install p11-kit-modules)")
	}
	t.Setenv("P11_KIT_SERVER_ADDRESS", serve(t, card, ""))
	return found[0]
}

// serve serves a card at a path, or one that is drawn if that is empty, until
// the test ends. It returns the address as clients have it.
func serve(t *testing.T, card *virtual.Card, path string) (address string) {
	t.Helper()
	m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		t.Fatal(err)
	}
	l, err := p11kit.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p11kit.Serve(ctx, l, m) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		m.Close()
	})
	return l.Address()
}

// derKey reads a public key that pkcs11-tool has written in DER.
func derKey(t *testing.T, path string) crypto.PublicKey {
	t.Helper()
	pub, err := x509.ParsePKIXPublicKey(read(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return pub
}

// A user of pkcs11-tool sets a card up and does with it whatever the module
// p11-kit-client.so lets through: before p11-kit 0.25 it refuses mechanisms with
// parameters that it does not know, ECDH among them, and ECDSA with hashing,
// without asking the server.
func TestP11KitServesPKCS11Tool(t *testing.T) {
	module := p11kitServer(t, virtual.New())
	tool := func(args ...string) string {
		t.Helper()
		return run(t, "pkcs11-tool", append([]string{"--module", module}, args...)...)
	}
	user := func(args ...string) string {
		t.Helper()
		return tool(append([]string{"--login", "--pin", userPIN}, args...)...)
	}
	out := filepath.Join(t.TempDir(), "out")

	contains(t, tool("-L"), "uninitialized")
	tool("--init-token", "--label", "served", "--so-pin", soPIN)
	tool("--login", "--login-type", "so", "--so-pin", soPIN, "--init-pin", "--pin", userPIN)
	contains(t, tool("-L"), "served", "login required", "PIN initialized")
	contains(t, tool("-M"), "RSA-PKCS", "ECDSA")

	user("--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--label", "rsa")
	user("--keypairgen", "--key-type", "EC:prime256v1", "--id", "02", "--label", "ec", "--usage-sign")
	if listed := tool("-O"); strings.Contains(listed, "Private Key Object") {
		t.Errorf("without login:\n%s", listed)
	}
	contains(t, user("-O"), "Private Key Object; RSA", "Private Key Object; EC", "Public Key Object; RSA 2048", "Public Key Object; EC")

	message := []byte("signed by a program in C")
	digest := sha256.Sum256(message)
	in := file(t, "in", message)
	tool("--read-object", "--type", "pubkey", "--id", "01", "-o", out)
	rsaKey := derKey(t, out).(*rsa.PublicKey)
	tool("--read-object", "--type", "pubkey", "--id", "02", "-o", out)
	ecKey := derKey(t, out).(*ecdsa.PublicKey)

	user("--sign", "--id", "01", "-m", "SHA256-RSA-PKCS", "-i", in, "-o", out)
	if err := rsa.VerifyPKCS1v15(rsaKey, crypto.SHA256, digest[:], read(t, out)); err != nil {
		t.Errorf("RSA PKCS #1: %v", err)
	}
	tool("--verify", "--id", "01", "-m", "SHA256-RSA-PKCS", "-i", in, "--signature-file", out)
	user("--sign", "--id", "01", "-m", "RSA-PKCS-PSS", "--hash-algorithm", "SHA256", "-i", file(t, "digest", digest[:]), "-o", out)
	if err := rsa.VerifyPSS(rsaKey, crypto.SHA256, digest[:], read(t, out), nil); err != nil {
		t.Errorf("RSA PSS: %v", err)
	}
	user("--sign", "--id", "02", "-m", "ECDSA", "--signature-format", "openssl", "-i", file(t, "digest", digest[:]), "-o", out)
	if !ecdsa.VerifyASN1(ecKey, digest[:], read(t, out)) {
		t.Error("ECDSA: the signature is bad")
	}

	secret := []byte("for the card only")
	sealed, err := rsa.EncryptPKCS1v15(rand.Reader, rsaKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	user("--decrypt", "--id", "01", "-m", "RSA-PKCS", "-i", file(t, "sealed", sealed), "-o", out)
	if got := read(t, out); !bytes.Equal(got, secret) {
		t.Errorf("decrypted %q", got)
	}

	note := file(t, "note", []byte("kept on the card"))
	user("--write-object", note, "--type", "data", "--label", "note", "--application-label", "interop")
	user("--read-object", "--type", "data", "--label", "note", "-o", out)
	if got := read(t, out); string(got) != "kept on the card" {
		t.Errorf("read %q", got)
	}
	user("--delete-object", "--type", "data", "--label", "note")
	if listed := user("-O"); strings.Contains(listed, "note") {
		t.Errorf("after deleting:\n%s", listed)
	}

	user("--change-pin", "--new-pin", "654321")
	if said := try("pkcs11-tool", "--module", module, "--login", "--pin", userPIN, "-O"); !strings.Contains(said, "CKR_PIN_INCORRECT") {
		t.Errorf("the old PIN: %s", said)
	}
	tool("--login", "--pin", "654321", "--change-pin", "--new-pin", userPIN)

	said := user("--test")
	if !strings.Contains(said, "No errors") {
		t.Errorf("pkcs11-tool --test:\n%s", said)
	}
}

// servedCard serves a card with an RSA key "rsa" and a P-256 key "ec".
func servedCard(t *testing.T) (module string) {
	t.Helper()
	card, err := cardtest.Card(t.Context(), cardtest.Key{Label: "rsa", Type: cardtest.RSA2048}, cardtest.Key{Label: "ec", Type: cardtest.P256})
	if err != nil {
		t.Fatal(err)
	}
	return p11kitServer(t, card)
}

// tokenURI names the token of servedCard.
const tokenURI = "pkcs11:token=" + cardtest.Label

func TestP11KitServesGnuTLS(t *testing.T) {
	module := servedCard(t)
	p11tool := func(args ...string) string {
		t.Helper()
		return run(t, "p11tool", append([]string{"--provider", module, "--batch", "--set-pin", userPIN}, args...)...)
	}
	contains(t, p11tool("--list-tokens"), "Label: "+cardtest.Label)
	contains(t, p11tool("--list-all", "--login", tokenURI), "Label: rsa", "Label: ec", "Type: Private key (RSA-2048)")
	p11tool("--generate-rsa", "--bits", "2048", "--label", "gnutls", "--login", "--outfile", filepath.Join(t.TempDir(), "pub.pem"), tokenURI)
	for _, label := range []string{"rsa", "ec", "gnutls"} {
		cmd := exec.Command("p11tool", "--provider", module, "--batch", "--set-pin", userPIN, "--login", "--test-sign", tokenURI+";object="+label+";type=private")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("p11tool --test-sign of %s: %v\n%s", label, err, out)
		}
		contains(t, string(out), "ok")
	}
}

// OpenSSL's engine signs a request and a certificate and serves TLS, from
// which curl fetches.
func TestP11KitServesOpenSSL(t *testing.T) {
	t.Setenv("PKCS11_MODULE_PATH", servedCard(t))
	dir := t.TempDir()
	for _, label := range []string{"rsa", "ec"} {
		key := tokenURI + ";object=" + label + ";type=private;pin-value=" + userPIN
		engine := []string{"-engine", "pkcs11", "-keyform", "engine", "-key", key}
		request, cert := filepath.Join(dir, label+".csr"), filepath.Join(dir, label+".pem")
		run(t, "openssl", append([]string{"req", "-new", "-subj", "/CN=localhost", "-out", request}, engine...)...)
		block, _ := pem.Decode(read(t, request))
		if block == nil {
			t.Fatalf("%s: no request in PEM", label)
		}
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := csr.CheckSignature(); err != nil {
			t.Errorf("%s: the request's signature: %v", label, err)
		}
		run(t, "openssl", append([]string{"req", "-x509", "-new", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
			"-out", cert}, engine...)...)

		port := freePort(t)
		server := exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:" + port, "-www", "-cert", cert}, engine...)...)
		var said bytes.Buffer
		server.Stdout, server.Stderr = &said, &said
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "openssl s_server to listen", func() bool { return reachable(port) })
		for _, version := range []string{"1.2", "1.3"} {
			out, err := exec.Command("curl", "--silent", "--show-error", "--cacert", cert, "--tlsv"+version, "--tls-max", version,
				"--resolve", "localhost:"+port+":127.0.0.1", "https://localhost:"+port+"/").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "s_server") {
				t.Errorf("%s: curl over TLS %s: %v\n%s", label, version, err, out)
			}
		}
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Logf("openssl s_server said:\n%s", said.String())
		}
	}
}

// ssh takes the keys from the module itself, without an agent.
func TestP11KitServesSSH(t *testing.T) {
	sshd := needSSH(t)
	module := servedCard(t)
	keys := run(t, "ssh-keygen", "-D", module)
	contains(t, keys, "ssh-rsa ", "ecdsa-sha2-nistp256 ")
	dir := t.TempDir()
	port := startSSHD(t, sshd, dir, keys)
	askpass := filepath.Join(dir, "askpass")
	if err := os.WriteFile(askpass, []byte("#!/bin/sh\necho "+userPIN+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, algorithms := range []string{"rsa-sha2-256", "rsa-sha2-512", "ecdsa-sha2-nistp256"} {
		cmd := exec.Command("ssh", "-F", "none", "-p", port, "-o", "PKCS11Provider="+module, "-o", "IdentityFile=none", "-o", "PreferredAuthentications=publickey",
			"-o", "PubkeyAcceptedAlgorithms="+algorithms, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
			"127.0.0.1", "echo", "logged in")
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK=", "SSH_ASKPASS="+askpass, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=none")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "logged in") {
			t.Errorf("%s: %v\n%s", algorithms, err, out)
		}
	}
}

// While one client is logged in and works, another one comes, is not logged
// in, and goes.
func TestP11KitKeepsClientsApart(t *testing.T) {
	module := servedCard(t)
	key := tokenURI + ";object=ec;type=private"
	dir := t.TempDir()
	t.Setenv("PKCS11_MODULE_PATH", module)
	cert := filepath.Join(dir, "cert.pem")
	engine := []string{"-engine", "pkcs11", "-keyform", "engine", "-key", key + ";pin-value=" + userPIN}
	run(t, "openssl", append([]string{"req", "-x509", "-new", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
		"-out", cert}, engine...)...)
	port := freePort(t)
	server := exec.Command("openssl", append([]string{"s_server", "-accept", "127.0.0.1:" + port, "-www", "-cert", cert}, engine...)...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	waitFor(t, "openssl s_server to listen", func() bool { return reachable(port) })
	fetch := func() {
		t.Helper()
		run(t, "curl", "--silent", "--show-error", "--cacert", cert, "--resolve", "localhost:"+port+":127.0.0.1", "https://localhost:"+port+"/")
	}
	fetch()
	for range 3 {
		if out := run(t, "pkcs11-tool", "--module", module, "-O"); strings.Contains(out, "Private Key") {
			t.Errorf("one client's login is another's:\n%s", out)
		}
		fetch()
		contains(t, run(t, "pkcs11-tool", "--module", module, "--login", "--pin", userPIN, "-O"), "Private Key") // logs out in the end
		fetch()
	}
	if said := try("pkcs11-tool", "--module", module, "--login", "--pin", "000000", "-O"); !strings.Contains(said, "CKR_PIN_INCORRECT") {
		t.Errorf("a wrong PIN: %s", said)
	}
	fetch()
}

// freePort returns a port that nobody listens to.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func reachable(port string) bool {
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}
