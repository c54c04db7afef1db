package faults_test

import (
	"bytes"
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// wire is virtual readers, as a program of its own has them, and a record of
// what it does with them. What goes wrong is up to the card and its readers; a
// wire lets only the beginning of transactions fail.
type wire struct {
	*virtual.Provider
	own apdu.SharedState // shared with no other user of the readers

	mu       sync.Mutex
	begin    error // of each transaction, if there is one
	connects int
	commands [][]byte
	begun    int
	ended    int
}

// newWire returns a wire to readers.
func newWire(p *virtual.Provider) *wire { return &wire{Provider: p} }

func (w *wire) Shared() *apdu.SharedState { return &w.own }

// set changes the wire.
func (w *wire) set(change func(w *wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// forget begins the record of the commands anew.
func (w *wire) forget() { w.set(func(w *wire) { w.commands = nil }) }

// sent returns the commands since forget.
func (w *wire) sent() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commands
}

// count counts the commands with an instruction byte.
func (w *wire) count(ins byte) (n int) {
	for _, c := range w.sent() {
		if c[1] == ins {
			n++
		}
	}
	return n
}

// pins counts the commands that carried a PIN: a VERIFY without data is a
// question.
func (w *wire) pins() (n int) {
	for _, c := range w.sent() {
		if carriesPIN(c) {
			n++
		}
	}
	return n
}

func carriesPIN(command []byte) bool {
	ins := command[1]
	return (ins == 0x20 || ins == 0x24 || ins == 0x2C) && len(command) > 5
}

// open returns how many transactions are open.
func (w *wire) open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun - w.ended
}

func (w *wire) Connect(ctx context.Context, reader string) (apdu.Transport, error) {
	w.set(func(w *wire) { w.connects++ })
	t, err := w.Provider.Connect(ctx, reader)
	if err != nil {
		return nil, err
	}
	return &wired{t, w}, nil
}

// wired is a connection over a wire.
type wired struct {
	apdu.Transport
	wire *wire
}

func (t *wired) Alive() bool { return t.Transport.(apdu.Liveness).Alive() }

func (t *wired) Begin(ctx context.Context) (apdu.Transaction, error) {
	w := t.wire
	w.mu.Lock()
	err := w.begin
	w.mu.Unlock()
	if err != nil {
		return apdu.Transaction{}, err
	}
	b, err := t.Transport.(apdu.Transactor).Begin(ctx)
	if err != nil {
		return b, err
	}
	end := b.End
	w.set(func(w *wire) { w.begun++ })
	b.End = func() error {
		w.set(func(w *wire) { w.ended++ })
		return end()
	}
	return b, nil
}

func (t *wired) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	t.wire.set(func(w *wire) { w.commands = append(w.commands, bytes.Clone(command)) })
	return t.Transport.Transmit(ctx, command)
}

// script is a card that is a function, for Conn alone.
type script func(command []byte) ([]byte, error)

func (s script) Transmit(_ context.Context, command []byte) ([]byte, error) { return s(command) }
func (s script) Info() apdu.Info                                            { return apdu.Info{Reader: "Script", Protocol: apdu.T1} }
func (s script) Close() error                                               { return nil }

// ask sends one command to a scripted card.
func (s script) ask(ctx context.Context, cmd apdu.Command) (data []byte, err error) {
	c := apdu.NewConn(s)
	defer c.Close()
	err = c.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
		data, err = tx.Do(ctx, cmd)
		return err
	})
	return data, err
}
