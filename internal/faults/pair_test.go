package faults_test

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// slowReader is the name of the second reader of a pair.
const slowReader = "Virtual slow"

// pairOf is the readers of a wire, and those of a second one under another
// name.
type pairOf struct {
	*wire
	second *wire
	anchor apdu.SharedState
}

func (p *pairOf) Shared() *apdu.SharedState { return &p.anchor }

func (p *pairOf) Readers(ctx context.Context) ([]string, error) {
	names, err := p.wire.Readers(ctx)
	return append(names, slowReader), err
}

func (p *pairOf) Connect(ctx context.Context, name string) (apdu.Transport, error) {
	if name == slowReader {
		return p.second.Connect(ctx, reader)
	}
	return p.wire.Connect(ctx, name)
}

func (p *pairOf) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		for e, err := range p.wire.Watch(ctx) {
			slow := e
			slow.Reader = slowReader
			settled := e.Settled
			e.Settled = false
			if !yield(e, err) {
				return
			}
			slow.Settled = settled
			if !yield(slow, err) {
				return
			}
		}
	}
}
