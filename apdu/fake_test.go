package apdu

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// card is a transport of one's own making: answer is the card behind it. It
// fails the test if it is used by two goroutines at a time.
type card struct {
	t      testing.TB
	info   Info
	answer func(ctx context.Context, command []byte) ([]byte, error)

	mu     sync.Mutex
	inUse  bool
	sent   []string // commands in hexadecimal
	closed atomic.Int32
}

func newCard(t testing.TB, answer func(ctx context.Context, command []byte) ([]byte, error)) *card {
	return &card{t: t, info: Info{Reader: "Test 00", Protocol: T1}, answer: answer}
}

// script is a card that expects these commands, each "command > answer" in
// hexadecimal; what it is sent beyond them it answers with 6F00.
func script(t testing.TB, exchanges ...string) *card {
	c := newCard(t, nil)
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.sent) != len(exchanges) {
			t.Errorf("%d commands were sent, want %d:\n%s", len(c.sent), len(exchanges), strings.Join(c.sent, "\n"))
		}
	})
	n := 0
	c.answer = func(_ context.Context, command []byte) ([]byte, error) {
		if n >= len(exchanges) {
			t.Errorf("unexpected command %X", command)
			return []byte{0x6F, 0x00}, nil
		}
		want, answer, _ := strings.Cut(exchanges[n], ">")
		n++
		if !bytes.Equal(command, unhex(want)) {
			t.Errorf("command %d is %X, want %X", n, command, unhex(want))
			return []byte{0x6F, 0x00}, nil
		}
		return unhex(answer), nil
	}
	return c
}

func (c *card) enter(what string) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inUse {
		c.t.Errorf("%s while another call is under way", what)
	}
	c.inUse = true
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inUse = false
	}
}

func (c *card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	defer c.enter("Transmit")()
	c.mu.Lock()
	c.sent = append(c.sent, fmt.Sprintf("%X", command))
	c.mu.Unlock()
	return c.answer(ctx, command)
}

func (c *card) Info() Info { return c.info }

func (c *card) Close() error {
	defer c.enter("Close")()
	c.closed.Add(1)
	return nil
}

func (c *card) commands() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.sent...)
}

// shared is a card that others may use too.
type shared struct {
	*card
	begin       func(ctx context.Context) error // may be nil
	undisturbed bool
	begun, over atomic.Int32
}

func (s *shared) Begin(ctx context.Context) (Transaction, error) {
	defer s.enter("Begin")()
	if s.begin != nil {
		if err := s.begin(ctx); err != nil {
			return Transaction{}, err
		}
	}
	if begun, over := s.begun.Add(1), s.over.Load(); begun != over+1 {
		s.t.Errorf("transaction %d begun after %d ended", begun, over)
	}
	return Transaction{End: s.end, Undisturbed: s.undisturbed}, nil
}

func (s *shared) end() error {
	defer s.enter("End")()
	s.over.Add(1)
	return nil
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		panic(err)
	}
	return b
}

// dial makes a Conn that the test closes.
func dial(t testing.TB, transport Transport, opts ...Option) *Conn {
	c := NewConn(transport, opts...)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// do sends one command in a unit of its own.
func do(ctx context.Context, c *Conn, cmd Command) (data []byte, err error) {
	err = c.Exclusive(ctx, nil, func(ctx context.Context, tx *Tx) error {
		data, err = tx.Do(ctx, cmd)
		return err
	})
	return data, err
}

// repeat is n bytes that tell their place.
func repeat(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func hexOf(b []byte) string { return fmt.Sprintf("%X", b) }
