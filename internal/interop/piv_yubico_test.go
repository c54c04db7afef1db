//go:build linux

package interop

import (
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// yubiKeyTDES is a card whose management key is what version 2.2 of Yubico's
// programs knows.
func yubiKeyTDES() *virtual.Card {
	p := virtual.YubiKey57()
	p.ManagementAlgorithm = 0x03
	return virtual.New(virtual.WithPIV(p))
}

func TestYubicoPIVTool(t *testing.T) {
	b := pivBench(t, yubiKeyTDES(), "yubico-piv-tool")
	tool := func(args ...string) string {
		b.Helper()
		return b.run("yubico-piv-tool", append([]string{"-r", "Yubico"}, args...)...)
	}
	contains(t, tool("-a", "status"), "Version:", "5.7.1")
	admin := []string{"-k" + pivKey}
	for slot, alg := range map[string]string{"9a": "RSA2048", "9c": "ECCP256", "9d": "RSA1024", "9e": "ECCP384"} {
		tool(append(admin, "-a", "generate", "-s", slot, "-A", alg, "-o", "pub-"+slot+".pem")...)
	}
	tool("-a", "attest", "-s", "9a", "-o", "attest.pem")
	contains(t, b.run("openssl", "x509", "-in", "attest.pem", "-noout", "-subject"), "YubiKey PIV Attestation 9a")
	b.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=imported", "-days", "3")
	tool(append(admin, "-a", "import-key", "-s", "82", "-i", "key.pem")...)
	tool(append(admin, "-a", "import-certificate", "-s", "82", "-i", "cert.pem")...)
	tool("-a", "read-certificate", "-s", "82", "-o", "back.pem")
	if string(read(t, b.dir+"/back.pem")) != string(read(t, b.dir+"/cert.pem")) {
		t.Error("another certificate came back")
	}
	contains(t, tool("-a", "verify-pin", "-P", pivPIN, "-a", "test-signature", "-s", "82", "-i", "cert.pem"), "Successful")
	contains(t, tool("-a", "verify-pin", "-P", pivPIN, "-a", "test-decipher", "-s", "82", "-i", "cert.pem"), "Successful")
	tool(append(admin, "-a", "set-chuid", "-a", "set-ccc")...)
	contains(t, tool("-a", "status"), "CHUID:", "Slot 82:")

	tool("-a", "change-pin", "-P", pivPIN, "-N", "654321")
	tool("-a", "change-puk", "-P", pivPUK, "-N", "87654321")
	tool("-a", "unblock-pin", "-P", "87654321", "-N", pivPIN)
	tool("-a", "verify-pin", "-P", pivPIN)
	const other = "a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8"
	tool(append(admin, "-a", "set-mgm-key", "-n", other)...)
	tool("-k"+other, "-a", "verify-pin", "-P", pivPIN, "-a", "pin-retries", "--pin-retries", "4", "--puk-retries", "2")
	contains(t, tool("-a", "status"), "PIN tries left")
	for range 4 {
		b.try("yubico-piv-tool", "-r", "Yubico", "-a", "verify-pin", "-P", "999999")
	}
	for range 4 {
		b.try("yubico-piv-tool", "-r", "Yubico", "-a", "unblock-pin", "-P", "99999999", "-N", "999999")
	}
	tool("-a", "reset")
	if out := tool("-a", "status"); strings.Contains(out, "Slot 82:") {
		t.Errorf("the card was not reset:\n%s", out)
	}
	tool("-a", "verify-pin", "-P", pivPIN)
}

// Version 2.2.0 does not get as far as the card with OpenSSL 3, for the reason
// that testdata/newmethod.c tells, and helps.
func TestYubicoPIVToolRequestsCertificates(t *testing.T) {
	b := pivBench(t, yubiKeyTDES(), "yubico-piv-tool", "openssl", "gcc")
	b.write("newmethod.c", read(t, "testdata/newmethod.c"))
	b.run("gcc", "-Wall", "-shared", "-fPIC", "-o", "newmethod.so", "newmethod.c", "-ldl")
	for slot, alg := range map[string]string{"9a": "RSA2048", "9c": "ECCP256", "9d": "RSA1024", "9e": "ECCP384"} {
		b.run("yubico-piv-tool", "-r", "Yubico", "-k"+pivKey, "-a", "generate", "-s", slot, "-A", alg, "-o", "pub.pem")
		signed := func(action, out string) {
			b.Helper()
			b.run("env", "LD_PRELOAD="+b.dir+"/newmethod.so", "yubico-piv-tool", "-r", "Yubico", "-a", "verify-pin", "-P", pivPIN,
				"-a", action, "-s", slot, "-S", "/CN="+slot+"/", "-H", "SHA256", "-i", "pub.pem", "-o", out)
		}
		signed("request-certificate", "request.pem")
		contains(t, b.run("openssl", "req", "-in", "request.pem", "-verify", "-noout", "-subject"), "verify OK", slot)
		signed("selfsign-certificate", "cert.pem")
		b.run("openssl", "verify", "-check_ss_sig", "-CAfile", "cert.pem", "cert.pem")
		b.run("yubico-piv-tool", "-r", "Yubico", "-k"+pivKey, "-a", "import-certificate", "-s", slot, "-i", "cert.pem")
	}
	contains(t, b.run("yubico-piv-tool", "-r", "Yubico", "-a", "status"), "CN=9a", "CN=9c", "CN=9d", "CN=9e")
}

func TestYkcs11(t *testing.T) {
	module := ykcs11(t)
	b := pivBench(t, yubiKeyTDES(), "pkcs11-tool", "yubico-piv-tool")
	p11 := func(args ...string) string {
		b.Helper()
		return b.run("pkcs11-tool", append([]string{"--module", module}, args...)...)
	}
	so := []string{"--login", "--login-type", "so", "--so-pin", pivKey}
	p11(append(so, "--keypairgen", "--id", "1", "--key-type", "rsa:2048")...)
	p11(append(so, "--keypairgen", "--id", "2", "--key-type", "EC:prime256v1")...)
	contains(t, p11("--list-slots"), "YubiKey")
	contains(t, p11("--login", "--pin", pivPIN, "-O"), "Private Key Object", "Public Key Object", "Certificate Object")
	b.write("data", []byte(strings.Repeat("x", 32)))
	p11("--login", "--pin", pivPIN, "--sign", "--id", "1", "-m", "SHA256-RSA-PKCS", "-i", "data", "-o", "sig")
	p11("--read-object", "--type", "pubkey", "--id", "1", "-o", "pub.der")
	contains(t, b.run("openssl", "dgst", "-sha256", "-verify", "pub.der", "-keyform", "DER", "-signature", "sig", "data"), "Verified OK")
	p11("--login", "--pin", pivPIN, "--sign", "--id", "2", "-m", "ECDSA", "-i", "data", "-o", "sig2", "--signature-format", "openssl")
}
