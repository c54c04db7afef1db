package prompt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// Terminal returns a PINFunc that writes its question to out and reads the PIN
// from in without echo. If in is no terminal it answers ckr.FunctionCanceled.
// A cancelled context returns at once; what is typed then is read and dropped.
func Terminal(in *os.File, out io.Writer) token.PINFunc {
	return func(ctx context.Context, r token.PINRequest) (token.PIN, error) {
		fd := int(in.Fd())
		if !term.IsTerminal(fd) {
			return token.PIN{}, canceled(errors.New("there is no terminal to ask on"))
		}
		if w := warning(r); w != "" {
			fmt.Fprintf(out, "%s\n", w)
		}
		fmt.Fprintf(out, "%s: ", question(r))
		typed := make(chan token.PIN, 1)
		failed := make(chan error, 1)
		go func() {
			b, err := term.ReadPassword(fd)
			defer clear(b)
			if err != nil {
				failed <- err
				return
			}
			typed <- token.NewPIN(bytes.TrimRight(b, "\r\n"))
		}()
		defer fmt.Fprintln(out)
		select {
		case pin := <-typed:
			if pin.Len() == 0 {
				return token.PIN{}, canceled(errors.New("nothing was typed"))
			}
			return pin, nil
		case err := <-failed:
			return token.PIN{}, canceled(err)
		case <-ctx.Done():
			go func() {
				select {
				case pin := <-typed:
					pin.Clear()
				case <-failed:
				}
			}()
			return token.PIN{}, ckr.New(ckr.FunctionCanceled, "ask for the PIN", ctx.Err())
		}
	}
}
