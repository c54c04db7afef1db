package main

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/p11kit"
)

// serve serves the tokens to programs in C, through p11-kit-client.so, until
// the program is interrupted.
func serve(ctx context.Context, e *env, args []string) error {
	f := e.flags("serve")
	socket := f.String("socket", "", "")
	legacy := f.Bool("legacy", false, "")
	if _, err := parseAll(f, args, 0, 0); err != nil {
		return err
	}
	var opts []cryptoki.Option
	if *legacy {
		opts = append(opts, cryptoki.WithLegacy())
	}
	return e.withModule(ctx, true, func(m *cryptoki.Module) error {
		l, err := p11kit.Listen(*socket)
		if err != nil {
			return err
		}
		defer l.Close()
		fmt.Fprintf(e.out, "P11_KIT_SERVER_ADDRESS=%s; export P11_KIT_SERVER_ADDRESS;\n", l.Address())
		return p11kit.Serve(ctx, l, m)
	}, opts...)
}
