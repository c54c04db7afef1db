package pkcs15_test

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/pkcs15"
)

// A program that knows PKCS #15 cards only initializes a blank one.
func ExampleDriver() {
	ctx := context.Background()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(virtual.New())), cryptoki.WithDrivers(pkcs15.Driver()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	t, err := m.Token(ctx, "pkcs11:model=PKCS%2315")
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := t.Initialize(ctx, token.NewPIN([]byte("87654321")), "demo"); err != nil {
		fmt.Println(err)
		return
	}
	info, err := t.Info(ctx)
	fmt.Println(info.Label, info.Flags.Has(token.FlagTokenInitialized), err)
	// Output: demo true <nil>
}
