// Codesign writes a detached CMS signature of a file, made with a key of a
// card and carrying its certificate. Other programs verify it:
//
//	go run ./examples/codesign program                            # a virtual card
//	go run ./examples/codesign program 'pkcs11:object=release'    # a card in a reader
//	openssl cms -verify -binary -inform DER -in program.p7s -content program -CAfile program.ca.pem -out /dev/null
//
// Without a file it signs its own source.
package main

import (
	"context"
	"crypto"
	_ "embed"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/go-cryptoki/cryptoki/examples/internal/demo"
)

//go:embed main.go
var source []byte

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	content, name := source, ""
	if len(args) > 0 {
		var err error
		name, args = args[0], args[1:]
		if content, err = os.ReadFile(name); err != nil {
			return err
		}
	}
	m, uri, err := demo.Open(ctx, args, demo.RSA)
	if err != nil {
		return err
	}
	defer m.Close()
	c, err := m.TLSCertificate(ctx, uri) // the certificate, its chain and its key
	if err != nil {
		return err
	}
	signature, err := sign(content, c.Certificate, c.Leaf, c.PrivateKey.(crypto.Signer), time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "signed %d bytes as %v: a signature of %d bytes\n", len(content), c.Leaf.Subject, len(signature))
	if name == "" {
		return nil
	}
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[len(c.Certificate)-1]})
	if err := os.WriteFile(name+".ca.pem", root, 0o644); err != nil {
		return err
	}
	return os.WriteFile(name+".p7s", signature, 0o644)
}
