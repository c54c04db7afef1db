package cryptoki_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/keytest"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

var (
	oidP521    = []byte{0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23}
	oidEd25519 = []byte{0x06, 0x03, 0x2B, 0x65, 0x70}
	oidX25519  = []byte{0x06, 0x03, 0x2B, 0x65, 0x6E}
)

// Keys of a card, through their URIs.
func TestInterfacesOfKeysOnTheCard(t *testing.T) {
	kinds := map[string]object.Attribute{
		"RSA-2048": object.AttrModulusBits.Is(2048), "RSA-3072": object.AttrModulusBits.Is(3072),
		"P-256": object.AttrECParams.Is(oidP256), "P-384": object.AttrECParams.Is(oidP384), "P-521": object.AttrECParams.Is(oidP521),
	}
	card := newCard(t, "demo", func(s *session.Session) {
		id := byte(1)
		for name, what := range kinds {
			makeKey(t, s, name, id, what)
			id++
		}
	})
	m := openModule(t, virtual.Single(card), cryptoki.WithPIN(token.StaticPIN([]byte(testPIN))))
	for name := range kinds {
		t.Run(name, func(t *testing.T) {
			key, err := m.Key(t.Context(), "pkcs11:object="+name)
			if err != nil {
				t.Fatal(err)
			}
			keytest.Run(t, key)
		})
	}
}

// Keys of a PIV card. In the slots that are used each key signs and agrees, or
// decrypts.
func TestInterfacesOfKeysOnAPIVCard(t *testing.T) {
	m := openModule(t, virtual.Single(virtual.New(virtual.WithPIV(virtual.YubiKey57()))),
		cryptoki.WithPIN(token.StaticPIN([]byte(virtual.DefaultPIVPIN))))
	tok, err := m.Token(t.Context(), "pkcs11:")
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.Open(t.Context(), tok, session.ReadWrite(), session.WithPINFunc(token.StaticPIN(virtual.DefaultPIVManagementKey())))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Login(t.Context(), token.User, token.NewPIN([]byte(virtual.DefaultPIVPIN))); err != nil {
		t.Fatal(err)
	}
	slots := map[byte]struct {
		name string
		m    mechanism.Mechanism
		what object.Attribute
	}{
		0x01: {"RSA-2048", mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)},
		0x03: {"P-256", mechanism.ECKeyPairGen{}, object.AttrECParams.Is(oidP256)},
		0x05: {"P-384", mechanism.ECKeyPairGen{}, object.AttrECParams.Is(oidP384)},
		0x06: {"Ed25519", mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(oidEd25519)},
		0x07: {"X25519", mechanism.ECMontgomeryKeyPairGen{}, object.AttrECParams.Is(oidX25519)},
	}
	for id, k := range slots {
		with := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{id})}
		if _, _, err := s.GenerateKeyPair(t.Context(), k.m, with.With(k.what), with); err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
	}
	for id, k := range slots {
		t.Run(k.name, func(t *testing.T) {
			key, err := m.Key(t.Context(), fmt.Sprintf("pkcs11:id=%%%02x", id))
			if err != nil {
				t.Fatal(err)
			}
			var refused []string
			if k.name == "Ed25519" { // the card signs messages as they are, from 1 to 3000 bytes
				refused = []string{"Ed25519ph", "Ed25519ctx", "pure, 0 bytes", "pure, 5000 bytes"}
			}
			keytest.Run(t, key, refused...)
		})
	}
}

// Session keys, in software.
func TestInterfacesOfSessionKeys(t *testing.T) {
	newCard(t, "demo", func(s *session.Session) {
		ctx := context.Background()
		for name, k := range map[string]struct {
			m    mechanism.Mechanism
			what object.Attribute
		}{
			"RSA-2048": {mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)},
			"P-256":    {mechanism.ECKeyPairGen{}, object.AttrECParams.Is(oidP256)},
			"P-384":    {mechanism.ECKeyPairGen{}, object.AttrECParams.Is(oidP384)},
			"P-521":    {mechanism.ECKeyPairGen{}, object.AttrECParams.Is(oidP521)},
			"Ed25519":  {mechanism.ECEdwardsKeyPairGen{}, object.AttrECParams.Is(oidEd25519)},
			"X25519":   {mechanism.ECMontgomeryKeyPairGen{}, object.AttrECParams.Is(oidX25519)},

			"ML-KEM-768":  {mechanism.MLKEMKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLKEM768)},
			"ML-KEM-1024": {mechanism.MLKEMKeyPairGen{}, object.AttrParameterSet.Is(object.ParameterSetMLKEM1024)},
		} {
			t.Run(name, func(t *testing.T) {
				_, priv, err := s.GenerateKeyPair(ctx, k.m, object.Template{k.what}, nil)
				if err != nil {
					t.Fatal(err)
				}
				key, err := s.Key(ctx, priv)
				if err != nil {
					t.Fatal(err)
				}
				keytest.Run(t, key)
			})
		}
	})
}
