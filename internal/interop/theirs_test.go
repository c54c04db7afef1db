package interop

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// openscCard has pkcs15-init make an empty token.
func openscCard(t *testing.T) *virtual.Card {
	t.Helper()
	card := virtual.New()
	plug(t, card)
	run(t, "pkcs15-init", "--create-pkcs15", "--label", "theirs", "--so-pin", soPIN, "--so-puk", soPIN)
	run(t, "pkcs15-init", "--store-pin", "--auth-id", "01", "--label", "PIN", "--pin", userPIN, "--puk", userPUK, "--so-pin", soPIN)
	run(t, "pkcs15-init", "--finalize")
	return card
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	return file(t, kind+".pem", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// This library lists, reads, signs and decrypts on a card that pkcs15-init
// filled.
func TestWeUseOpenSCsCard(t *testing.T) {
	need(t)
	card := openscCard(t)
	imported, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	importedEC, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := selfSigned(t, imported)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(imported)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8EC, err := x509.MarshalPKCS8PrivateKey(importedEC)
	if err != nil {
		t.Fatal(err)
	}
	user := []string{"--auth-id", "01", "--pin", userPIN}
	init := func(args ...string) { t.Helper(); run(t, "pkcs15-init", append(args, user...)...) }
	init("--generate-key", "rsa/2048", "--key-usage", "sign", "--id", "01", "--label", "rsa")
	init("--generate-key", "ec/prime256v1", "--key-usage", "sign", "--id", "02", "--label", "ec")
	init("--store-private-key", pemFile(t, "PRIVATE KEY", pkcs8), "--key-usage", "decrypt,sign", "--id", "03", "--label", "imported")
	init("--store-private-key", pemFile(t, "PRIVATE KEY", pkcs8EC), "--key-usage", "sign", "--id", "04", "--label", "importedEC")
	run(t, "pkcs15-init", "--store-certificate", pemFile(t, "CERTIFICATE", cert.Raw), "--id", "03", "--label", "cert", "--pin", userPIN)
	run(t, "pkcs15-init", "--store-data", file(t, "d", []byte("for all")), "--label", "open", "--pin", userPIN)
	init("--store-data", file(t, "d", []byte("for the user")), "--label", "closed")

	tok := open(t, card)
	public, err := session.Open(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	defer public.Close()
	info, err := tok.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Label != "theirs" || !info.Flags.Has(token.FlagTokenInitialized|token.FlagUserPINInitialized|token.FlagLoginRequired) {
		t.Errorf("token info: %+v", info)
	}
	t.Run("list", func(t *testing.T) {
		before := []string{"CKO_PUBLIC_KEY rsa", "CKO_PUBLIC_KEY ec", "CKO_PUBLIC_KEY imported", "CKO_PUBLIC_KEY importedEC",
			"CKO_CERTIFICATE cert", "CKO_DATA open"}
		if got := labels(t, public); !equalSets(got, before) {
			t.Errorf("before login: %q", got)
		}
	})
	s := login(t, tok)
	private := func(id byte) *object.Object {
		return find(t, s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrID.Is([]byte{id}))
	}
	t.Run("read", func(t *testing.T) {
		got, err := object.Get(t.Context(), find(t, s, object.AttrClass.Is(object.ClassCertificate)), object.AttrValue)
		if err != nil || !bytes.Equal(got, cert.Raw) {
			t.Errorf("certificate: %v", err)
		}
		for label, want := range map[string]string{"open": "for all", "closed": "for the user"} {
			got, err := object.Get(t.Context(), find(t, s, object.AttrLabel.Is(label)), object.AttrValue)
			if err != nil || string(got) != want {
				t.Errorf("data %s: %q, %v", label, got, err)
			}
		}
		key := private(3)
		n, err := object.Get(t.Context(), key, object.AttrModulus)
		if err != nil || n.Cmp(imported.N) != 0 {
			t.Errorf("modulus: %v", err)
		}
	})
	digest := sha256.Sum256([]byte("sign this"))
	t.Run("sign", func(t *testing.T) {
		for id := byte(1); id <= 4; id++ {
			key, err := s.Key(t.Context(), private(id))
			if err != nil {
				t.Fatal(err)
			}
			sig, err := key.Sign(nil, digest[:], crypto.SHA256)
			if err != nil {
				t.Errorf("key %d: %v", id, err)
				continue
			}
			switch pub := key.Public().(type) {
			case *rsa.PublicKey:
				err = rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig)
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(pub, digest[:], sig) {
					t.Errorf("the signature of key %d does not verify", id)
				}
			}
			if err != nil {
				t.Errorf("key %d: %v", id, err)
			}
		}
		key, err := s.Key(t.Context(), private(1))
		if err != nil {
			t.Fatal(err)
		}
		opts := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthAuto}
		sig, err := key.Sign(nil, digest[:], opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(key.Public().(*rsa.PublicKey), crypto.SHA256, digest[:], sig, opts); err != nil {
			t.Errorf("PSS: %v", err)
		}
	})
	t.Run("decrypt", func(t *testing.T) {
		for _, m := range []mechanism.Mechanism{mechanism.RSAPKCS{}, mechanism.RSAOAEP{Hash: crypto.SHA256}} {
			pub := find(t, s, object.AttrClass.Is(object.ClassPublicKey), object.AttrID.Is([]byte{3}))
			if ok, err := object.Get(t.Context(), pub, object.AttrEncrypt); err != nil || !ok {
				t.Logf("pkcs15-init gave the public key no CKA_ENCRYPT (%v, %v); encrypting in Go", ok, err)
			}
			secret, err := encrypt(m, &imported.PublicKey, []byte("noon"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Decrypt(t.Context(), m, private(3), secret)
			if err != nil || string(got) != "noon" {
				t.Errorf("%v: %q, %v", m.Type(), got, err)
			}
		}
	})
	t.Run("change", func(t *testing.T) { weChangeTheirs(t, s) })
}

func encrypt(m mechanism.Mechanism, pub *rsa.PublicKey, msg []byte) ([]byte, error) {
	if _, ok := m.(mechanism.RSAOAEP); ok {
		return rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, msg, nil)
	}
	return rsa.EncryptPKCS1v15(rand.Reader, pub, msg)
}

// weChangeTheirs adds, changes and deletes on their card; they see it, and
// nothing else is lost.
func weChangeTheirs(t *testing.T, s *session.Session) {
	again(t, s)
	generate(t, s, "mine", 5, mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p384))
	data(t, s, "note", true, []byte("mine"))
	if err := s.Set(t.Context(), find(t, s, object.AttrLabel.Is("open")), object.AttrLabel.Is("opened")); err != nil {
		t.Errorf("rename: %v", err)
	}
	if err := s.Destroy(t.Context(), find(t, s, object.AttrClass.Is(object.ClassCertificate))); err != nil {
		t.Errorf("destroy: %v", err)
	}
	out := run(t, "pkcs15-tool", "-D")
	// pkcs15-init gave the imported key the label of its certificate.
	contains(t, out, "Private EC Key [mine]", "Public EC Key [mine]", "Data object 'note'", "Data object 'opened'",
		"Data object 'closed'", "Private RSA Key [rsa]", "Private EC Key [ec]", "Private RSA Key [cert]", "Private EC Key [importedEC]")
	if bytes.Contains([]byte(out), []byte("X.509 Certificate")) {
		t.Error("pkcs15-tool still sees the certificate that was destroyed")
	}
	in := file(t, "in", []byte("sign this"))
	run(t, "pkcs11-tool", "--login", "--pin", userPIN, "--sign", "--id", "05", "-m", "ECDSA-SHA384", "-i", in, "-o", file(t, "sig", nil))
	run(t, "pkcs15-init", "--delete-objects", "privkey,pubkey", "--id", "05", "--pin", userPIN)
	again(t, s)
	if got := labels(t, s); bytes.Contains([]byte(join(got)), []byte("mine")) {
		t.Errorf("what they deleted is still seen: %q", got)
	}
}

func join(s []string) (all string) {
	for _, x := range s {
		all += x + "\n"
	}
	return all
}

// PINs of their card are changed and unblocked through this library.
func TestWeManagePINsOfOpenSCsCard(t *testing.T) {
	need(t)
	tok := open(t, openscCard(t))
	s, err := session.Open(t.Context(), tok, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pin := func(s string) token.PIN { return token.NewPIN([]byte(s)) }
	if err := s.SetPIN(t.Context(), pin(userPIN), pin("654321")); err != nil {
		t.Fatal(err)
	}
	run(t, "pkcs11-tool", "--login", "--pin", "654321", "-O")
	for range 3 {
		if s.Login(t.Context(), token.User, pin("000000")) == nil {
			t.Fatal("a wrong PIN was taken")
		}
	}
	if err := s.UnblockPIN(t.Context(), pin(userPUK), pin(userPIN)); err != nil {
		t.Fatal(err)
	}
	run(t, "pkcs11-tool", "--login", "--pin", userPIN, "-O")
}
