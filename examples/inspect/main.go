// Inspect prints every reader that it finds, and what is on the card in it: the
// answer to reset decoded, the applications, the tokens and their objects.
//
//	go run ./examples/inspect             # the readers of the machine
//	go run ./examples/inspect -demo       # a virtual card
//
// Nothing is written and no PIN is asked for, so that what is private is not
// seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/slot"
)

func main() {
	log.SetFlags(0)
	demo := flag.Bool("demo", false, "inspect a virtual card instead of the readers of the machine")
	flag.Parse()
	ctx := context.Background()
	readers, err := choose(ctx, *demo)
	if err == nil {
		err = run(ctx, readers, os.Stdout)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func choose(ctx context.Context, demo bool) (apdu.Provider, error) {
	if demo {
		return cardtest.Readers(ctx,
			cardtest.Key{Label: "mail", Type: cardtest.RSA2048}, cardtest.Key{Label: "signing", Type: cardtest.P256})
	}
	return pcsc.Open()
}

func run(ctx context.Context, readers apdu.Provider, out io.Writer) error {
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers))
	if err != nil {
		return err
	}
	defer m.Close()
	slots, err := m.Slots(ctx, false)
	if err != nil {
		return err
	}
	p := &printer{out: out}
	if len(slots) == 0 {
		p.line("no readers")
	}
	last := ""
	for _, s := range slots {
		if reader := s.Info().Reader; reader != last {
			inspectReader(ctx, p, readers, s)
			last = reader
		}
		p.in(func() { inspectToken(ctx, p, s) })
	}
	return p.err
}

// inspectReader prints what is known before any driver has had a look.
func inspectReader(ctx context.Context, p *printer, readers apdu.Provider, s *slot.Slot) {
	info := s.Info()
	p.line("%s", info.Reader)
	p.in(func() {
		if info.Flags&slot.FlagTokenPresent == 0 {
			p.line("no card")
			return
		}
		p.line("ATR %X", info.ATR)
		p.in(func() { explainATR(p, info.ATR) })
		conn, err := apdu.Dial(ctx, readers, info.Reader)
		if err != nil {
			p.line("%v", err)
			return
		}
		defer conn.Close()
		explainLink(ctx, p, conn)
		applications(ctx, p, conn)
	})
}

// printer writes lines, indented.
type printer struct {
	out   io.Writer
	depth int
	err   error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, "%s%s\n", strings.Repeat("  ", p.depth), fmt.Sprintf(format, args...))
	}
}

func (p *printer) in(f func()) {
	p.depth++
	f()
	p.depth--
}
