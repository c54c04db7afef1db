package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/token/piv"
)

// findingOut is a finding for machines.
type findingOut struct {
	Kind   string `json:"kind"`
	Object string `json:"object"`
	Tag    string `json:"tag,omitempty"`
	Detail string `json:"detail"`
}

// checkCard tells what is wrong with a PIV card.
func checkCard(ctx context.Context, e *env, args []string) error {
	f := e.flags("check")
	reader, issuers, at := f.String("reader", "", ""), f.String("issuers", "", ""), f.String("at", "", "")
	withPIN, given := f.Bool("login", false, ""), f.String("pin", "", "")
	if _, err := parseAll(f, args, 0, 0); err != nil {
		return err
	}
	in, err := inspection(*issuers, *at)
	if err != nil {
		return err
	}
	if *withPIN || *given != "" {
		if in.PIN, err = e.pin(*given, envPIN, "PIN"); err != nil {
			return err
		}
		defer in.PIN.Clear()
	}
	var found []piv.Finding
	err = e.withCard(ctx, *reader, func(conn *apdu.Conn) error {
		card, err := piv.Open(ctx, conn)
		if err == nil {
			found, err = card.Inspect(ctx, in)
		}
		return err
	})
	if err != nil {
		return err
	}
	out, lines := []findingOut{}, []string{}
	for _, x := range found {
		o := findingOut{Kind: string(x.Kind), Object: x.Object, Detail: x.Detail}
		if x.Tag != 0 {
			o.Tag = fmt.Sprintf("%X", x.Tag)
		}
		out, lines = append(out, o), append(lines, x.String())
	}
	if len(found) == 0 {
		lines = append(lines, "nothing is wrong with the card")
	}
	if err := e.print(out, strings.Join(lines, "\n")); err != nil {
		return err
	}
	switch n := len(found); n {
	case 0:
		return nil
	case 1:
		return errors.New("something is wrong with the card")
	default:
		return fmt.Errorf("%d things are wrong with the card", n)
	}
}

// inspection reads what the flags say of it.
func inspection(issuers, at string) (in piv.Inspection, err error) {
	if at != "" {
		if in.At, err = time.Parse(time.DateOnly, at); err != nil {
			return in, usagef("%q is no date such as 2026-01-31", at)
		}
	}
	if issuers == "" {
		return in, nil
	}
	rest, err := os.ReadFile(issuers)
	if err != nil {
		return in, err
	}
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return in, fmt.Errorf("%s: %w", issuers, err)
		}
		in.Issuers = append(in.Issuers, c)
	}
	if in.Issuers == nil {
		return in, fmt.Errorf("%s: there is no certificate in it", issuers)
	}
	return in, nil
}
