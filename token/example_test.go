package token_test

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/token"
)

// A PIN is never printed. A PINFunc tells the person which card asks, and how
// many tries are left.
func ExamplePINFunc() {
	var ask token.PINFunc = func(ctx context.Context, r token.PINRequest) (token.PIN, error) {
		fmt.Printf("PIN for %s in %s, %d tries left\n", r.Token.Label, r.Reader, r.Tries.Left)
		return token.NewPIN([]byte("123456")), nil
	}
	r := token.PINRequest{Token: token.Info{Label: "demo"}, Reader: "Reader 00"}
	r.Tries.Left, r.Tries.Known = 3, true
	pin, err := ask(context.Background(), r)
	fmt.Println(pin, err)
	pin.Clear()
	// Output:
	// PIN for demo in Reader 00, 3 tries left
	// PIN(redacted) <nil>
}
