package faults_test

import (
	"bytes"
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// wire is virtual readers, and what lies between them and the library. Its
// hooks can be set at any time; those that are nil change nothing.
type wire struct {
	*virtual.Provider
	own apdu.Anchor // shared with no other user of the readers

	mu       sync.Mutex
	info     func(apdu.Info) apdu.Info
	connect  func(ctx context.Context, reader string) error
	begin    func(ctx context.Context) error
	transmit func(ctx context.Context, command []byte, next func() ([]byte, error)) ([]byte, error)
	commands [][]byte
	begun    int
	ended    int
}

// newWire returns a wire to readers, as a program of its own has it.
func newWire(p *virtual.Provider) *wire { return &wire{Provider: p} }

func (w *wire) Shared() *apdu.Anchor { return &w.own }

// set changes the hooks.
func (w *wire) set(change func(w *wire)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(w)
}

// heal removes all hooks.
func (w *wire) heal() {
	w.set(func(w *wire) { w.info, w.connect, w.begin, w.transmit = nil, nil, nil, nil })
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

// answers has f rewrite each answer.
func (w *wire) answers(f func(command, answer []byte) []byte) {
	w.set(func(w *wire) {
		w.transmit = func(_ context.Context, command []byte, next func() ([]byte, error)) ([]byte, error) {
			answer, err := next()
			if err == nil {
				answer = f(command, answer)
			}
			return answer, err
		}
	})
}

func (w *wire) Connect(ctx context.Context, reader string) (apdu.Transport, error) {
	w.mu.Lock()
	connect := w.connect
	w.mu.Unlock()
	if connect != nil {
		if err := connect(ctx, reader); err != nil {
			return nil, err
		}
	}
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

func (t *wired) Info() apdu.Info {
	i := t.Transport.Info()
	if t.wire.info != nil {
		i = t.wire.info(i)
	}
	return i
}

func (t *wired) Alive() bool { return t.Transport.(apdu.Liveness).Alive() }

func (t *wired) Begin(ctx context.Context) (apdu.Begun, error) {
	w := t.wire
	w.mu.Lock()
	hook := w.begin
	w.mu.Unlock()
	if hook != nil {
		if err := hook(ctx); err != nil {
			return apdu.Begun{}, err
		}
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
	w := t.wire
	w.mu.Lock()
	w.commands = append(w.commands, bytes.Clone(command))
	hook := w.transmit
	w.mu.Unlock()
	next := func() ([]byte, error) { return t.Transport.Transmit(ctx, command) }
	if hook == nil {
		return next()
	}
	return hook(ctx, command, next)
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
