package cryptoki_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// cardKey generates a key on a new card in memory and returns it as the
// standard library takes it.
func cardKey(b *testing.B, m mechanism.Mechanism, what object.Attribute) session.Key {
	b.Helper()
	ctx := context.Background()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	mod, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(virtual.New())))
	must(err)
	b.Cleanup(func() { mod.Close() })
	slots, err := mod.Slots(ctx, true)
	must(err)
	t, err := slots[0].Token(ctx)
	must(err)
	so, user := token.NewPIN([]byte("87654321")), token.NewPIN([]byte("123456"))
	must(t.Initialize(ctx, so, "bench"))
	s, err := session.Open(ctx, t, session.ReadWrite())
	must(err)
	must(s.Login(ctx, token.SO, so))
	must(s.InitPIN(ctx, user))
	must(s.Logout(ctx))
	must(s.Login(ctx, token.User, user))
	onToken := object.Template{object.AttrToken.Is(true)}
	_, priv, err := s.GenerateKeyPair(ctx, m, onToken.With(what), onToken)
	must(err)
	key, err := s.Key(ctx, priv)
	must(err)
	return key
}

// benchmarkSign measures crypto.Signer for a key of a card, beside the
// standard library's own, in one run.
func benchmarkSign(b *testing.B, std, card crypto.Signer) {
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

func BenchmarkSignP256(b *testing.B) {
	std, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	p256 := []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}
	benchmarkSign(b, std, cardKey(b, mechanism.ECKeyPairGen{}, object.AttrECParams.Is(p256)))
}

func BenchmarkSignRSA2048(b *testing.B) {
	std, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkSign(b, std, cardKey(b, mechanism.RSAKeyPairGen{}, object.AttrModulusBits.Is(2048)))
}
