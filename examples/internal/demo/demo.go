// Package demo gives the examples something to work on: with no argument a
// virtual card in memory that has keys and certificates; with a PKCS #11 URI
// the readers of the machine, where the PIN is asked for on the terminal.
package demo

import (
	"context"
	"os"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/prompt"
)

// Names of the keys of the virtual card; each has a certificate of the same
// name, made by that of CA.
const (
	CA     = "ca"
	EC     = "ec"     // P-256
	RSA    = "rsa"    // RSA-2048
	Client = "client" // P-256
)

var keys = []cardtest.Key{
	{Label: CA, Type: cardtest.P384}, {Label: EC, Type: cardtest.P256}, {Label: RSA, Type: cardtest.RSA2048}, {Label: Client, Type: cardtest.P256},
}

// Open returns a module and the URI to work with: that of the first argument,
// or the one of the virtual card's key of that name; with no name it is that
// of all its keys.
func Open(ctx context.Context, args []string, name string) (*cryptoki.Module, string, error) {
	if len(args) > 0 {
		m, err := cryptoki.Open(ctx, cryptoki.WithPIN(prompt.Terminal(os.Stdin, os.Stderr)), cryptoki.WithPINCache(cryptoki.CacheUntilLogout()))
		return m, args[0], err
	}
	readers, err := cardtest.Readers(ctx, keys...)
	if err != nil {
		return nil, "", err
	}
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers), cryptoki.WithPIN(token.StaticPIN([]byte(cardtest.PIN))))
	return m, URI(name), err
}

// URI names a key of the virtual card, or all of them.
func URI(name string) string {
	if name == "" {
		return "pkcs11:token=" + cardtest.Label
	}
	return "pkcs11:token=" + cardtest.Label + ";object=" + name
}
