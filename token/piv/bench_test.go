package piv_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// BenchmarkPIVSignP256 measures crypto.Signer for a key in slot 9A of a virtual
// card, beside the standard library's own, in one run.
func BenchmarkPIVSignP256(b *testing.B) {
	ctx := b.Context()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	list := slot.NewList(virtual.Single(virtual.New(virtual.WithPIV(virtual.YubiKey57()))), []driver.Driver{piv.Driver()})
	defer list.Close()
	slots, err := list.Slots(ctx, true)
	must(err)
	tok, err := slots[0].Token(ctx)
	must(err)
	s, err := session.Open(ctx, tok, session.ReadWrite(), session.WithPINFunc(token.StaticPIN([]byte(adminHex))))
	must(err)
	defer s.Close()
	must(s.Login(ctx, token.User, pin(userPIN)))
	with := object.Template{object.AttrToken.Is(true), object.AttrID.Is([]byte{1})}
	_, priv, err := s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, with.With(params("P-256")), with)
	must(err)
	card, err := s.Key(ctx, priv)
	must(err)
	std, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	digest := sha256.Sum256([]byte("benchmark"))
	for name, key := range map[string]crypto.Signer{"stdlib": std, "card": card} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
