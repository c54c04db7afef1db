package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"testing"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
)

func publicKey(t *testing.T, s *session.Session, priv *object.Object) crypto.PublicKey {
	t.Helper()
	key, err := s.Key(t.Context(), priv)
	if err != nil {
		t.Fatal(err)
	}
	return key.Public()
}

// OpenSC reads and uses a card that this library initialised and filled.
func TestOpenSCUsesOurCard(t *testing.T) {
	need(t)
	card, s := initialised(t)
	_, rsaPriv := generate(t, s, "rsa", 1, mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048))
	_, ecPriv := generate(t, s, "ec", 2, mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p256))
	_, ec521 := generate(t, s, "ec521", 3, mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p521))
	cert := certify(t, s, "cert", 2, ecPriv)
	data(t, s, "open", false, []byte("for all"))
	data(t, s, "closed", true, []byte("for the user"))
	rsaPub := publicKey(t, s, rsaPriv).(*rsa.PublicKey)
	ecPub := publicKey(t, s, ecPriv).(*ecdsa.PublicKey)
	ec521Pub := publicKey(t, s, ec521).(*ecdsa.PublicKey)
	plug(t, card)

	t.Run("dump", func(t *testing.T) {
		out := run(t, "pkcs15-tool", "-D")
		contains(t, out, "PKCS#15 Card [interop]", "Private RSA Key [rsa]", "Public RSA Key [rsa]",
			"Private EC Key [ec]", "Public EC Key [ec]", "X.509 Certificate [cert]", "Data object 'open'",
			"Data object 'closed'", "ModLength      : 2048", "FieldLength    : 256",
			"sensitive, alwaysSensitive, neverExtract, local")
	})
	t.Run("certificate", func(t *testing.T) {
		block, _ := pem.Decode([]byte(run(t, "pkcs15-tool", "--read-certificate", "02")))
		if block == nil || !bytes.Equal(block.Bytes, cert.Raw) {
			t.Error("pkcs15-tool reads another certificate")
		}
	})
	t.Run("public keys", func(t *testing.T) {
		for id, want := range map[string]crypto.PublicKey{"01": rsaPub, "02": ecPub} {
			block, _ := pem.Decode([]byte(run(t, "pkcs15-tool", "--read-public-key", id)))
			if block == nil {
				t.Fatal("no PEM")
			}
			got, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
				t.Errorf("pkcs15-tool reads another public key under %s", id)
			}
		}
	})
	t.Run("data", func(t *testing.T) {
		contains(t, run(t, "pkcs15-tool", "--read-data-object", "open", "--raw"), "for all")
		contains(t, run(t, "pkcs15-tool", "--verify-pin", "--pin", userPIN, "--read-data-object", "closed", "--raw"), "for the user")
	})
	t.Run("list", func(t *testing.T) {
		out := run(t, "pkcs11-tool", "-O")
		contains(t, out, "Public Key Object; RSA 2048 bits", "label:      cert", "'open'")
		out = run(t, "pkcs11-tool", "-O", "--login", "--pin", userPIN)
		contains(t, out, "Private Key Object; RSA", "Private Key Object; EC", "'closed'")
	})

	msg := []byte("signed by another program")
	in := file(t, "in", msg)
	digest := sha256.Sum256(msg)
	hashed := file(t, "hash", digest[:])
	sign := func(t *testing.T, in string, args ...string) []byte {
		t.Helper()
		out := filepath.Join(t.TempDir(), "sig")
		run(t, "pkcs11-tool", append([]string{"--login", "--pin", userPIN, "--sign", "-i", in, "-o", out}, args...)...)
		return read(t, out)
	}
	t.Run("RSA PKCS#1 signature", func(t *testing.T) {
		sig := sign(t, in, "--id", "01", "-m", "SHA256-RSA-PKCS")
		if err := rsa.VerifyPKCS1v15(rsaPub, crypto.SHA256, digest[:], sig); err != nil {
			t.Error(err)
		}
	})
	t.Run("RSA PSS signature", func(t *testing.T) {
		sig := sign(t, hashed, "--id", "01", "-m", "RSA-PKCS-PSS", "--hash-algorithm", "SHA256", "--mgf", "MGF1-SHA256")
		if err := rsa.VerifyPSS(rsaPub, crypto.SHA256, digest[:], sig, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("ECDSA signatures", func(t *testing.T) {
		for id, pub := range map[string]*ecdsa.PublicKey{"02": ecPub, "03": ec521Pub} {
			sig := sign(t, hashed, "--id", id, "-m", "ECDSA")
			r, v := new(big.Int).SetBytes(sig[:len(sig)/2]), new(big.Int).SetBytes(sig[len(sig)/2:])
			if !ecdsa.Verify(pub, digest[:], r, v) {
				t.Errorf("the ECDSA signature under %s does not verify", id)
			}
		}
	})
	t.Run("decryption", func(t *testing.T) {
		secret, err := rsa.EncryptPKCS1v15(rand.Reader, rsaPub, []byte("noon"))
		if err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "plain")
		run(t, "pkcs11-tool", "--login", "--pin", userPIN, "--decrypt", "-m", "RSA-PKCS", "--id", "01", "-i", file(t, "secret", secret), "-o", out)
		if got := read(t, out); string(got) != "noon" {
			t.Errorf("decrypted %q", got)
		}
	})
	t.Run("self-test", func(t *testing.T) {
		out := run(t, "pkcs11-tool", "--login", "--pin", userPIN, "--test")
		contains(t, out, "No errors")
	})
	t.Run("PIN change", func(t *testing.T) {
		run(t, "pkcs11-tool", "--login", "--pin", userPIN, "--change-pin", "--new-pin", "654321")
		run(t, "pkcs11-tool", "--login", "--pin", "654321", "--change-pin", "--new-pin", userPIN)
	})
}

// What another program adds to our card or takes from it, this library sees
// at its next look, and nothing else is lost.
func TestOpenSCChangesOurCard(t *testing.T) {
	need(t)
	card, s := initialised(t)
	generate(t, s, "rsa", 1, mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048))
	generate(t, s, "ec", 2, mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p384))
	data(t, s, "open", false, []byte("for all"))
	plug(t, card)

	same := func(want ...string) {
		t.Helper()
		again(t, s)
		got := labels(t, s)
		if !equalSets(got, want) {
			t.Errorf("this library sees %q, not %q", got, want)
		}
	}
	ours := []string{"CKO_PRIVATE_KEY rsa", "CKO_PUBLIC_KEY rsa", "CKO_PRIVATE_KEY ec", "CKO_PUBLIC_KEY ec", "CKO_DATA open"}
	same(ours...)

	run(t, "pkcs15-init", "--store-data", file(t, "d", []byte("theirs")), "--label", "added", "--pin", userPIN)
	same(append(ours, "CKO_DATA added")...)
	got, err := object.Get(t.Context(), find(t, s, object.AttrLabel.Is("added")), object.AttrValue)
	if err != nil || string(got) != "theirs" {
		t.Errorf("read %q, %v", got, err)
	}

	run(t, "pkcs15-init", "--generate-key", "rsa/2048", "--key-usage", "sign", "--auth-id", "01", "--id", "09", "--label", "key9", "--pin", userPIN)
	same(append(ours, "CKO_DATA added", "CKO_PRIVATE_KEY key9", "CKO_PUBLIC_KEY key9")...)
	key, err := s.Key(t.Context(), find(t, s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("key9")))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], sig); err != nil {
		t.Error(err)
	}

	run(t, "pkcs15-init", "--delete-objects", "data", "--application-name", "interop", "--label", "open", "--pin", userPIN)
	run(t, "pkcs15-init", "--delete-objects", "privkey,pubkey", "--id", "01", "--pin", userPIN)
	same("CKO_PRIVATE_KEY ec", "CKO_PUBLIC_KEY ec", "CKO_DATA added", "CKO_PRIVATE_KEY key9", "CKO_PUBLIC_KEY key9")

	// And the other way round: what we take away, they do not see.
	if err := s.Destroy(t.Context(), find(t, s, object.AttrLabel.Is("added"))); err != nil {
		t.Fatal(err)
	}
	ecPriv := find(t, s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))
	if err := s.Set(t.Context(), ecPriv, object.AttrLabel.Is("renamed")); err != nil {
		t.Fatal(err)
	}
	out := run(t, "pkcs15-tool", "-D")
	contains(t, out, "Private EC Key [renamed]", "Private RSA Key [key9]")
	if bytes.Contains([]byte(out), []byte("Data object 'added'")) {
		t.Error("pkcs15-tool still sees what was destroyed")
	}
	same("CKO_PRIVATE_KEY renamed", "CKO_PUBLIC_KEY ec", "CKO_PRIVATE_KEY key9", "CKO_PUBLIC_KEY key9")
}

func equalSets(a, b []string) bool {
	count := map[string]int{}
	for _, x := range a {
		count[x]++
	}
	for _, x := range b {
		count[x]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}
