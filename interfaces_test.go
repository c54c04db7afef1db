package cryptoki_test

import (
	"context"
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
