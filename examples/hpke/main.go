// Hpke decrypts with an EC key of a card what anybody encrypted to its public
// key: hybrid public key encryption, RFC 9180.
//
//	go run ./examples/hpke                        # a virtual card
//	go run ./examples/hpke 'pkcs11:object=my'     # a card in a reader
package main

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/go-cryptoki/cryptoki/examples/internal/demo"
)

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	m, uri, err := demo.Open(ctx, args, demo.EC)
	if err != nil {
		return err
	}
	defer m.Close()
	key, err := m.Key(ctx, uri)
	if err != nil {
		return err
	}
	exchanger, ok := key.(ecdh.KeyExchanger)
	if !ok {
		return errors.New("the key does not agree on secrets; it has to be an EC key")
	}
	// The sender has the public key only.
	pub, err := hpke.NewDHKEMPublicKey(exchanger.PublicKey())
	if err != nil {
		return err
	}
	info := []byte("example")
	sealed, err := hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info, []byte("meet me at noon"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "encrypted: %x\n", sealed)
	// The receiver has the card.
	priv, err := hpke.NewDHKEMPrivateKey(exchanger)
	if err != nil {
		return err
	}
	plain, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "decrypted with the card: %q\n", plain)
	return nil
}
