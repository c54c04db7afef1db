package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// explainATR decodes an answer to reset (ISO 7816-3 §8).
func explainATR(p *printer, raw []byte) {
	atr, err := apdu.ParseATR(raw)
	if err != nil {
		p.line("%v", err)
		return
	}
	var protocols []string
	for _, t := range atr.Protocols {
		protocols = append(protocols, fmt.Sprintf("T=%d", t))
	}
	p.line("protocols %s", strings.Join(protocols, ", "))
	p.line("historical bytes %X %q", atr.Historical, printable(atr.Historical))
	if !atr.Checked {
		p.line("the check byte is wrong")
	}
	if caps := apdu.CapabilitiesOf(atr.Historical); caps.Known {
		p.line("the card says: command chaining %s, extended lengths %s", yes(caps.Chaining), yes(caps.Extended))
	}
}

// explainLink tells what card and reader carry.
func explainLink(ctx context.Context, p *printer, conn *apdu.Conn) {
	info := conn.Info()
	most := "short commands only"
	if info.MaxCommand > 0 {
		most = fmt.Sprintf("commands of up to %d and answers of up to %d bytes", info.MaxCommand, info.MaxResponse)
	}
	p.line("T=%d, the reader carries %s", info.Protocol, most)
	err := conn.Exclusive(ctx, nil, func(_ context.Context, tx *apdu.Tx) error {
		if _, ok := tx.PINPad(); ok {
			p.line("the reader has keys to enter a PIN")
		}
		return nil
	})
	if err != nil {
		p.line("%v", err)
	}
}

func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '.'
		}
		return r
	}, string(b))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
