package main

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// plug serves the card to pcscd until the program is interrupted.
func plug(ctx context.Context, e *env, args []string) error {
	f := e.flags("plug")
	addr := f.String("vpcd", virtual.DefaultPlug, "")
	if _, err := parseAll(f, args, 0, 0); err != nil {
		return err
	}
	card, err := e.openCard(true)
	if err != nil {
		return err
	}
	defer card.Close()
	fmt.Fprintf(e.err, "the card in %s is in the reader at %s; interrupt to take it out\n", e.card, *addr)
	err = card.Plug(ctx, *addr)
	if ctx.Err() != nil {
		return nil
	}
	return err
}
