package interop

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// servedNewer is newerTools with a token that has a user's PIN and the keys
// "rsa" and "ec".
func servedNewer(t *testing.T) (dir string, run func(name string, args ...string) string) {
	t.Helper()
	dir, _, run = newerTools(t, virtual.New())
	tool := func(args ...string) {
		t.Helper()
		run("pkcs11-tool", append([]string{"--module", "MODULE"}, args...)...)
	}
	tool("--init-token", "--label", "served", "--so-pin", soPIN)
	tool("--login", "--login-type", "so", "--so-pin", soPIN, "--init-pin", "--pin", userPIN)
	tool("--login", "--pin", userPIN, "--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--label", "rsa")
	tool("--login", "--pin", userPIN, "--keypairgen", "--key-type", "EC:prime256v1", "--id", "02", "--label", "ec")
	return dir, run
}

// put writes a file for the programs in their directory.
func put(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pemCert reads a certificate that a program has written.
func pemCert(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(read(t, filepath.Join(dir, name)))
	if block == nil {
		t.Fatalf("%s is not PEM", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// providerConfig has OpenSSL use tokens by their URIs.
const providerConfig = `openssl_conf = init
[init]
providers = providers
[providers]
default = ours
pkcs11 = tokens
[ours]
activate = 1
[tokens]
module = pkcs11.so
pkcs11-module-token-pin = ` + userPIN + `
activate = 1
[req]
distinguished_name = name
[name]
`

func TestP11KitServesOpenSSLsProvider(t *testing.T) {
	dir, run := servedNewer(t)
	put(t, dir, "openssl.cnf", providerConfig)
	put(t, dir, "in", "signed by a key that OpenSSL does not see")
	openssl := func(args ...string) string {
		t.Helper()
		return run("env", append([]string{"OPENSSL_CONF=openssl.cnf", "PKCS11_PROVIDER_MODULE=MODULE", "openssl"}, args...)...)
	}
	uri := func(label, class string) string { return "pkcs11:token=served;object=" + label + ";type=" + class }
	for _, label := range []string{"rsa", "ec"} {
		key, cert := uri(label, "private"), label+".pem"
		openssl("req", "-new", "-x509", "-key", key, "-subj", "/CN="+label, "-days", "3", "-out", cert)
		contains(t, run("openssl", "verify", "-check_ss_sig", "-CAfile", cert, cert), "OK")
		openssl("dgst", "-sha256", "-sign", key, "-out", "sig", "in")
		contains(t, openssl("dgst", "-sha256", "-verify", uri(label, "public"), "-signature", "sig", "in"), "Verified OK")
		openssl("cms", "-sign", "-nodetach", "-in", "in", "-signer", cert, "-inkey", key, "-out", "cms")
		contains(t, run("openssl", "cms", "-verify", "-in", "cms", "-CAfile", cert, "-purpose", "any"), "does not see")
	}
	run("openssl", "cms", "-encrypt", "-aes256", "-in", "in", "-out", "cms", "rsa.pem")
	contains(t, openssl("cms", "-decrypt", "-in", "cms", "-recip", "rsa.pem", "-inkey", uri("rsa", "private")), "does not see")
	openssl("req", "-new", "-x509", "-key", uri("rsa", "private"), "-subj", "/CN=pss", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1", "-out", "pss.pem")
	contains(t, run("openssl", "verify", "-check_ss_sig", "-CAfile", "pss.pem", "pss.pem"), "OK")
}

func TestP11KitServesNSS(t *testing.T) {
	dir, run := servedNewer(t)
	put(t, dir, "pin", userPIN)
	put(t, dir, "noise", "0123456789012345678901234567890123456789")
	certutil := func(args ...string) string {
		t.Helper()
		return run("certutil", append([]string{"-d", "sql:.", "-f", "pin"}, args...)...)
	}
	certutil("-N", "--empty-password")
	run("modutil", "-dbdir", "sql:.", "-add", "served", "-libfile", "MODULE", "-force")
	contains(t, run("modutil", "-dbdir", "sql:.", "-list", "served"), "Token Name: served", "Login required", "Status: Enabled")
	certutil("-S", "-h", "served", "-n", "root", "-s", "CN=root", "-x", "-t", "CTu,u,u", "-k", "rsa", "-g", "2048", "-z", "noise", "-m", "1")
	certutil("-S", "-h", "served", "-n", "leaf", "-s", "CN=leaf", "-c", "served:root", "-t", ",,", "-k", "ec", "-q", "nistp384", "-z", "noise", "-m", "2")
	contains(t, certutil("-K", "-h", "served"), "rsa ", "ec ", "served:root", "served:leaf")
	contains(t, certutil("-L", "-h", "served"), "served:root", "served:leaf")
	certutil("-L", "-h", "served", "-n", "served:leaf", "-a", "-o", "leaf.pem")
	certutil("-L", "-h", "served", "-n", "served:root", "-a", "-o", "root.pem")
	root, leaf := pemCert(t, dir, "root.pem"), pemCert(t, dir, "leaf.pem")
	if err := root.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature); err != nil {
		t.Error(err)
	}

	run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=brought", "-days", "3")
	run("openssl", "pkcs12", "-export", "-inkey", "key.pem", "-in", "cert.pem", "-name", "brought", "-out", "in.p12", "-passout", "pass:abc")
	contains(t, run("pk12util", "-d", "sql:.", "-h", "served", "-k", "pin", "-W", "abc", "-i", "in.p12"), "SUCCESSFUL")
	contains(t, certutil("-K", "-h", "served"), "brought")
	certutil("-F", "-h", "served", "-n", "served:leaf")
}

// pykcs11 asks for all attributes that it knows of each object, and computes.
const pykcs11 = `import sys, PyKCS11
from PyKCS11 import *
lib = PyKCS11Lib()
lib.load(sys.argv[1])
slot = lib.getSlotList(tokenPresent=True)[0]
for m in lib.getMechanismList(slot):
    lib.getMechanismInfo(slot, m)
s = lib.openSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION)
s.login(sys.argv[2])
for o in s.findObjects():
    d = o.to_dict()
    print(d["CKA_CLASS"], d["CKA_LABEL"], "CKA_WRAP_TEMPLATE" in d)
def key(kind, label):
    return s.findObjects([(CKA_CLASS, kind), (CKA_LABEL, label)])[0]
priv, pub = key(CKO_PRIVATE_KEY, "rsa"), key(CKO_PUBLIC_KEY, "rsa")
for m in (Mechanism(CKM_SHA256_RSA_PKCS, None), RSA_PSS_Mechanism(CKM_SHA256_RSA_PKCS_PSS, CKM_SHA256, CKG_MGF1_SHA256, 32)):
    assert s.verify(pub, b"abc", s.sign(priv, b"abc", m), m)
m = RSAOAEPMechanism(CKM_SHA256, CKG_MGF1_SHA256)
assert bytes(s.decrypt(priv, s.encrypt(pub, b"abc", m), m)) == b"abc"
aes = s.generateKey([(CKA_CLASS, CKO_SECRET_KEY), (CKA_KEY_TYPE, CKK_AES), (CKA_TOKEN, False), (CKA_VALUE_LEN, 32),
    (CKA_ENCRYPT, True), (CKA_DECRYPT, True)], MechanismAESGENERATEKEY)
for m in (Mechanism(CKM_AES_CBC_PAD, "1234567812345678"), AES_GCM_Mechanism(b"123456789012", b"more", 128)):
    assert bytes(s.decrypt(aes, s.encrypt(aes, b"x" * 40, m), m)) == b"x" * 40
assert len(s.generateRandom(33)) == 33
s.setPin(sys.argv[2], sys.argv[2])
s.logout()
s.closeSession()
print("all done")
`

func TestP11KitServesPython(t *testing.T) {
	dir, run := servedNewer(t)
	put(t, dir, "client.py", pykcs11)
	contains(t, run("python3", "client.py", "MODULE", userPIN), "CKO_PRIVATE_KEY rsa", "CKO_PUBLIC_KEY ec", "all done")
}
