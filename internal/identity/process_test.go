package identity_test

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// process is a program that uses the cards, with a copy of the library of its
// own.
type process struct {
	name   string
	world  *world
	module *cryptoki.Module

	mu      sync.Mutex
	typed   map[string]int // PINs that a person typed, and that were not sent yet
	refused map[string]int // PINs that were sent from a memory, and refused
}

func newProcess(w *world, name string) *process {
	return &process{name: name, world: w, typed: make(map[string]int), refused: make(map[string]int)}
}

func (p *process) wire() *wire { return &wire{Provider: p.world.readers, world: p.world, p: p} }

// open begins the process.
func (p *process) open(ctx context.Context, opts ...cryptoki.Option) error {
	var err error
	opts = append(opts, cryptoki.WithProvider(p.wire()), cryptoki.WithPIN(p.ask))
	p.module, err = cryptoki.Open(ctx, opts...)
	return err
}

// types notes that a person types a PIN into the process.
func (p *process) types(pin string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.typed[pin]++
}

// typedNow reports whether a person typed a PIN that was not sent before.
func (p *process) typedNow(pin string) bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.typed[pin] == 0 {
		return false
	}
	p.typed[pin]--
	return true
}

// cached counts how often a PIN was sent that is not right any more, and that
// nobody typed for it.
func (p *process) cached(pin string) int {
	if p == nil {
		return 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused[pin]++
	return p.refused[pin]
}

var errStranger = errors.New("the person knows no such card")

// ask is the person who is asked for a PIN. They take their time, look which
// card is meant, and type its PIN, or sometimes a wrong one.
func (p *process) ask(ctx context.Context, r token.PINRequest) (token.PIN, error) {
	if err := p.world.pace.wait(ctx, p.name+" asks", false); err != nil {
		return token.PIN{}, err
	}
	reader := p.readerOf(ctx, r)
	c := p.world.meant(reader, r.Token)
	if c == nil {
		return token.PIN{}, errStranger
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pin := c.pin
	if p.world.errs() {
		pin = c.newPIN()
		c.wrong[pin] = 0
	}
	p.types(pin)
	return token.NewPIN([]byte(pin)), nil
}

// readerOf is the reader that a request is about, as far as it tells: by a
// field Reader, or a field Slot with a slot, or its id. It is empty if it does
// not.
func (p *process) readerOf(ctx context.Context, r token.PINRequest) string {
	v := reflect.ValueOf(r)
	for _, from := range []reflect.Value{v, v.FieldByName("Token")} {
		if f := from.FieldByName("Reader"); f.IsValid() && f.Kind() == reflect.String && f.String() != "" {
			return f.String()
		}
		f := from.FieldByName("Slot")
		switch {
		case !f.IsValid():
		case f.CanUint() && f.Uint() != 0:
			if s, err := p.module.Slot(ctx, slot.ID(f.Uint())); err == nil {
				return s.Info().Reader
			}
		case f.Kind() == reflect.Struct:
			if name := f.FieldByName("Reader"); name.IsValid() && name.Kind() == reflect.String {
				return name.String()
			}
		}
	}
	return ""
}
