package prompt_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/prompt"
)

// A prompt that has no terminal to ask at says so, and gives no PIN.
func ExampleTerminal() {
	in, err := os.Open(os.DevNull)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer in.Close()
	ask := prompt.Terminal(in, io.Discard)
	pin, err := ask(context.Background(), token.PINRequest{Token: token.Info{Label: "demo"}})
	fmt.Println(pin.IsZero(), err != nil)
	// Output: true true
}
