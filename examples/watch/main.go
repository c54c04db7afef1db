// Watch prints readers and cards as they come and go, until it is interrupted.
//
//	go run ./examples/watch             # the readers of the machine
//	go run ./examples/watch -demo       # a virtual reader in which a card is changed
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/slot"
)

func main() {
	log.SetFlags(0)
	demo := flag.Bool("demo", false, "watch a virtual reader instead of those of the machine")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *demo {
		err = play(ctx, os.Stdout)
	} else {
		err = watch(ctx, os.Stdout, func(slot.Event) bool { return true })
	}
	if err != nil {
		log.Fatal(err)
	}
}

// watch prints events until ctx is done or more says so. A card that came is
// read, to tell its name.
func watch(ctx context.Context, out io.Writer, more func(slot.Event) bool, opts ...cryptoki.Option) error {
	m, err := cryptoki.Open(ctx, opts...)
	if err != nil {
		return err
	}
	defer m.Close()
	for e, err := range m.SlotEvents(ctx) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, describe(ctx, m, e))
		if !more(e) {
			return nil
		}
	}
	return nil
}

func describe(ctx context.Context, m *cryptoki.Module, e slot.Event) string {
	switch {
	case e.Slot == 0:
		return "there is no reader"
	case e.Gone:
		return fmt.Sprintf("slot %d: reader %q went away", e.Slot, e.Reader)
	case !e.Present:
		return fmt.Sprintf("slot %d: %q is empty", e.Slot, e.Reader)
	}
	return fmt.Sprintf("slot %d: %q has a card: %s", e.Slot, e.Reader, name(ctx, m, e.Slot))
}

func name(ctx context.Context, m *cryptoki.Module, id slot.ID) string {
	s, err := m.Slot(ctx, id)
	if err != nil {
		return err.Error()
	}
	t, err := s.Token(ctx)
	if err != nil {
		return err.Error()
	}
	info, err := t.Info(ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %q, serial number %s", info.Manufacturer, info.Label, info.Serial)
}

// play changes the card in a virtual reader, one step after each event.
func play(ctx context.Context, out io.Writer) error {
	const reader = "Virtual 00"
	p := virtual.NewProvider(virtual.Reader{Name: reader})
	steps := []func() error{
		func() error { return p.Insert(reader, virtual.New()) },
		func() error { return p.Remove(reader) },
		func() error { return p.Insert(reader, virtual.New()) },
		func() error { return p.RemoveReader(reader) },
	}
	var failed error
	err := watch(ctx, out, func(slot.Event) bool {
		if len(steps) == 0 {
			return false
		}
		failed = steps[0]()
		steps = steps[1:]
		return failed == nil
	}, cryptoki.WithProvider(p))
	return errors.Join(err, failed)
}
