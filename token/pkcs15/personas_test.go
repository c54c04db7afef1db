package pkcs15_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// Versions of cards of the family, from those that chain no commands on.
func personas() map[string]virtual.Persona {
	list := map[string]virtual.Persona{"OsEID 4.5.2": virtual.OsEID452(), "MyEID 5.0.0": virtual.MyEID500()}
	for _, v := range [][3]byte{{3, 5, 0}, {4, 0, 1}, {4, 4, 0}, {4, 5, 0}} {
		p := virtual.MyEID500()
		p.Name, p.Version, p.MaxRSA = "MyEID", v, 2048
		list[fmt.Sprintf("MyEID %d.%d.%d", v[0], v[1], v[2])] = p
	}
	return list
}

func TestEveryVersionOfTheFamily(t *testing.T) {
	imported, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range personas() {
		t.Run(name, func(t *testing.T) {
			chains := p.Version[0] > 4 || p.Version[0] == 4 && p.Version[1] >= 5
			card := virtual.New(virtual.As(p), virtual.Observe(func(command, _ []byte) {
				if !chains && command[0]&0x10 != 0 {
					t.Errorf("chained a command: % X", command[:5])
				}
				if p.Version[0] < 4 && command[1] == 0xB0 && command[len(command)-1] == 0 {
					t.Errorf("read 256 bytes at once: % X", command)
				}
			}))
			s := userSession(t, card)
			rsaKey(t, s, generate(t, s, "rsa", mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)), chains)
			ec := generate(t, s, "ec", mechanism.ECKeyPairGen{}, object.AttrECParams.Is([]byte{6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7}))
			ecKey(t, s, ec)
			values, err := soft.PrivateTemplate(imported)
			if err != nil {
				t.Fatal(err)
			}
			o, err := s.Create(t.Context(), values.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrToken.Is(true),
				object.AttrLabel.Is("imported"), object.AttrSign.Is(true), object.AttrDecrypt.Is(true))...)
			if err != nil {
				t.Fatal(err)
			}
			key := rsaKey(t, s, o, chains)
			if !key.Equal(&imported.PublicKey) {
				t.Error("the card tells another public key of the imported one")
			}
			big := bytes.Repeat([]byte("0123456789"), 300)
			data, err := s.Create(t.Context(), object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrValue.Is(big))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := object.Get(t.Context(), data, object.AttrValue); err != nil || !bytes.Equal(got, big) {
				t.Errorf("3000 bytes of data: %d, %v", len(got), err)
			}
		})
	}
}

func userSession(t *testing.T, card *virtual.Card) *session.Session {
	t.Helper()
	ctx := context.Background()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	slots, err := m.Slots(ctx, true)
	if err != nil || len(slots) == 0 {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	tok, err := slots[0].Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	so, user := token.NewPIN([]byte("87654321")), token.NewPIN([]byte("123456"))
	if err := tok.Initialize(ctx, so, "family"); err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(ctx, tok, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return s.Login(ctx, token.SO, so) }, func() error { return s.InitPIN(ctx, user) },
		func() error { return s.Logout(ctx) }, func() error { return s.Login(ctx, token.User, user) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func generate(t *testing.T, s *session.Session, label string, m mechanism.Mechanism, what object.Attribute) *object.Object {
	t.Helper()
	common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is(label)}
	_, priv, err := s.GenerateKeyPair(t.Context(), m, common.With(what), common)
	if err != nil {
		t.Fatal(err)
	}
	return priv
}

// rsaKey signs and decrypts in all ways that the card has.
func rsaKey(t *testing.T, s *session.Session, o *object.Object, chains bool) *rsa.PublicKey {
	t.Helper()
	key, err := s.Key(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	pub := key.Public().(*rsa.PublicKey)
	digest := sha256.Sum256([]byte("x"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err == nil {
		err = rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest[:], sig)
	}
	if err != nil {
		t.Errorf("PKCS #1: %v", err)
	}
	opts := &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 32}
	sig, err = key.Sign(nil, digest[:], opts)
	switch {
	case !chains && ckr.Of(err) != ckr.KeyTypeInconsistent && ckr.Of(err) != ckr.MechanismInvalid:
		t.Errorf("PSS on a card that cannot take the block: %v", err)
	case chains && err != nil:
		t.Errorf("PSS: %v", err)
	case chains:
		if err := rsa.VerifyPSS(pub, crypto.SHA256, digest[:], sig, opts); err != nil {
			t.Errorf("PSS: %v", err)
		}
	}
	secret, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, pub, []byte("noon"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := key.(crypto.Decrypter).Decrypt(nil, secret, &rsa.OAEPOptions{Hash: crypto.SHA256})
	if err != nil || string(got) != "noon" {
		t.Errorf("OAEP: %q, %v", got, err)
	}
	return pub
}

func ecKey(t *testing.T, s *session.Session, o *object.Object) {
	t.Helper()
	key, err := s.Key(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("x"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], sig) {
		t.Errorf("ECDSA: %v", err)
	}
}
