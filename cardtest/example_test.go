package cardtest_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/token"
)

// A program that signs with a card is tested without one.
func Example() {
	ctx := context.Background()
	readers, err := cardtest.Readers(ctx, cardtest.Key{Label: "signing", Type: cardtest.P256})
	if err != nil {
		log.Fatal(err)
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers), cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	key, err := m.Key(ctx, "pkcs11:object=signing")
	if err != nil {
		log.Fatal(err)
	}
	digest := sha256.Sum256([]byte("message"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], sig))
	// Output: true
}
