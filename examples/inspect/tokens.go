package main

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// inspectToken prints the token in a slot and the objects that everybody sees.
func inspectToken(ctx context.Context, p *printer, s *slot.Slot) {
	t, err := s.Token(ctx)
	if errors.Is(err, ckr.TokenNotPresent) {
		return
	}
	if err != nil {
		p.line("slot %d: %v", s.ID(), err)
		return
	}
	info, err := t.Info(ctx)
	if err != nil {
		p.line("slot %d: %v", s.ID(), err)
		return
	}
	p.line("slot %d: token %q, driver %s", s.ID(), info.Label, s.Info().Driver)
	p.in(func() {
		p.line("%s %s, serial number %s", info.Manufacturer, info.Model, info.Serial)
		p.line("flags %v", info.Flags)
		p.line("%d mechanisms", len(t.Mechanisms()))
		if info.Flags.Has(token.FlagTokenInitialized) {
			objects(ctx, p, t)
		}
	})
}

func objects(ctx context.Context, p *printer, t token.Token) {
	s, err := session.Open(ctx, t)
	if err != nil {
		p.line("%v", err)
		return
	}
	defer s.Close()
	p.line("public objects")
	p.in(func() {
		n := 0
		for o, err := range s.Find(ctx) {
			if err != nil {
				p.line("%v", err)
				return
			}
			n++
			p.line("%v %q id %X", o.Class(), attribute(ctx, o, object.AttrLabel), attribute(ctx, o, object.AttrID))
		}
		if n == 0 {
			p.line("none")
		}
	})
}

// attribute is empty where the object has none.
func attribute[T any](ctx context.Context, o *object.Object, a object.Attr[T]) T {
	v, _ := object.Get(ctx, o, a)
	return v
}
