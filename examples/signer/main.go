// Signer signs its input with a key of a card, as crypto.Signer, and verifies
// the signature with the standard library.
//
//	go run ./examples/signer                              # a virtual card
//	go run ./examples/signer 'pkcs11:object=my%20key'     # a card in a reader
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
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
	digest := sha256.Sum256([]byte("what is signed"))
	sig, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "key:       %T\nsignature: %x\n", key.Public(), sig)
	if err := verify(key.Public(), digest[:], sig); err != nil {
		return err
	}
	fmt.Fprintln(out, "the standard library verifies it")
	return nil
}

func verify(pub crypto.PublicKey, digest, sig []byte) error {
	switch pub := pub.(type) {
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(pub, digest, sig) {
			return errors.New("the signature does not verify")
		}
		return nil
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, digest, sig)
	}
	return fmt.Errorf("no way to verify with a %T", pub)
}
