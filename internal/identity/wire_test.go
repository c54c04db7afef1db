package identity_test

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// wire is virtual readers as one process has them: it shares nothing with the
// other processes but the cards. What it sends waits for its turn.
type wire struct {
	*virtual.Provider
	own   apdu.SharedState
	world *world
	p     *process
}

func (w *wire) Shared() *apdu.SharedState { return &w.own }

func (w *wire) Readers(ctx context.Context) ([]string, error) {
	if err := w.world.pace.wait(ctx, w.p.name+" lists", false); err != nil {
		return nil, err
	}
	return w.Provider.Readers(ctx)
}

func (w *wire) Connect(ctx context.Context, reader string) (apdu.Transport, error) {
	if err := w.world.pace.wait(ctx, w.p.name+" connects "+reader, false); err != nil {
		return nil, err
	}
	// Nobody moves a card meanwhile, so that it is known which one it is.
	w.world.mu.Lock()
	defer w.world.mu.Unlock()
	t, err := w.Provider.Connect(ctx, reader)
	if err != nil {
		return nil, err
	}
	return &wired{t, w, w.world.where[reader]}, nil
}

// wired is a connection of a process to a card.
type wired struct {
	apdu.Transport
	wire *wire
	card *card
}

func (t *wired) Alive() bool { return t.Transport.(apdu.Liveness).Alive() }

func (t *wired) Begin(ctx context.Context) (apdu.Transaction, error) {
	if err := t.wait(ctx, "begins"); err != nil {
		return apdu.Transaction{}, err
	}
	b, err := t.Transport.(apdu.Transactor).Begin(ctx)
	if err == nil {
		t.card.speaks(t.wire.p)
	}
	return b, err
}

func (t *wired) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := t.wait(ctx, fmt.Sprintf("%X", command[:min(4, len(command))])); err != nil {
		return nil, err
	}
	return t.Transport.Transmit(ctx, command)
}

func (t *wired) wait(ctx context.Context, what string) error {
	return t.wire.world.pace.wait(ctx, t.wire.p.name+" "+t.card.name+" "+what, false)
}
