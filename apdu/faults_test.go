package apdu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scenario is a unit with everything in it: selection, PIN, chain, long answer.
func scenario(ctx context.Context, c *Conn) error {
	return c.Exclusive(ctx, aid, func(ctx context.Context, tx *Tx) error {
		if _, err := tx.Do(ctx, Command{INS: 0x20, P2: 1, Data: []byte(secret)}); err != nil {
			return err
		}
		if _, err := tx.Do(ctx, Command{INS: 0xDB, Data: repeat(600)}); err != nil {
			return err
		}
		data, err := tx.Do(ctx, Command{INS: 0xCB, Data: []byte{0x5C, 0}, Le: 256})
		if err == nil && !bytes.Equal(data, repeat(600)) {
			return errors.New("wrong data")
		}
		return err
	})
}

// scenarioCard is the card for it; fault is asked before exchange n and may
// answer in its place.
func scenarioCard(t testing.TB, fault func(n int) ([]byte, error)) *shared {
	e := &echo{caps: chaining}
	n := 0
	s := &shared{undisturbed: true}
	s.card = newCard(t, func(ctx context.Context, command []byte) ([]byte, error) {
		n++
		if answer, err := fault(n); answer != nil || err != nil {
			return answer, err
		}
		switch command[1] {
		case 0xCB:
			e.pending = repeat(600)
			return e.respond(256), nil
		case 0x20, 0xDB, 0xA4:
			return unhex("9000"), nil
		}
		return e.answer(ctx, command)
	})
	return s
}

// D10: whatever happens at whichever exchange, the transaction ends, the lock is
// free, the error is one of those documented, and no PIN is in its text.
func TestEveryFaultAtEveryExchangeLeavesTheConnUsable(t *testing.T) {
	const exchanges = 8
	tests := []struct {
		name   string
		answer []byte
		err    error
		panics bool
		want   []error // one of them, or success
	}{
		{"removed", nil, ErrRemoved, false, []error{ErrRemoved}},
		{"reset", nil, ErrReset, false, []error{ErrReset, nil}},
		{"link", nil, ErrLink, false, []error{ErrLink, nil}},
		{"strange", nil, errors.New("strange"), false, []error{ErrLink, nil}},
		{"cancelled below", nil, context.Canceled, false, []error{context.Canceled}},
		{"empty", []byte{}, nil, false, []error{ErrLink}},
		{"one byte", []byte{0x90}, nil, false, []error{ErrLink}},
		{"zeros", make([]byte, 20), nil, false, []error{ErrLink}},
		{"refused", unhex("6F00"), nil, false, []error{SWNoDiagnosis}},
		{"6C for ever", unhex("6C05"), nil, false, []error{SWCorrectLe, ErrLink, ErrShort, nil}},
		{"too much", append(make([]byte, 300), 0x90, 0), nil, false, []error{ErrLink}},
		{"panic", nil, nil, true, nil},
	}
	for _, tt := range tests {
		for at := 1; at <= exchanges; at++ {
			for _, ctx := range []context.Context{context.Background(), cancellable(t)} {
				broken := true
				s := scenarioCard(t, func(n int) ([]byte, error) {
					if !broken || n != at {
						return nil, nil
					}
					if tt.panics {
						panic("boom")
					}
					return tt.answer, tt.err
				})
				c := NewConn(s)
				err := func() (err error) {
					defer func() {
						if r := recover(); r != nil && !tt.panics {
							panic(r)
						}
					}()
					return scenario(ctx, c)
				}()
				what := fmt.Sprintf("%s at %d", tt.name, at)
				if !tt.panics && !oneOf(err, tt.want) {
					t.Errorf("%s: %v", what, err)
				}
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: the error shows the PIN: %v", what, err)
				}
				broken = false
				again := scenario(ctx, c)
				if removed := tt.err == ErrRemoved; removed != errors.Is(again, ErrRemoved) || !removed && again != nil {
					t.Errorf("%s: next unit: %v", what, again)
				}
				if s.begun.Load() != s.over.Load() {
					t.Errorf("%s: %d transactions begun, %d ended", what, s.begun.Load(), s.over.Load())
				}
				if err := c.Close(); err != nil {
					t.Errorf("%s: close: %v", what, err)
				}
			}
		}
	}
}

func oneOf(err error, wants []error) bool {
	for _, want := range wants {
		if want == nil && err == nil || want != nil && errors.Is(err, want) {
			return true
		}
	}
	return false
}

// G5, F9: callers are cancelled at any moment; nobody gets another's answer.
func TestCallersCancelledAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			delay := func() time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return time.Duration(random.IntN(1000)) * time.Millisecond
			}
			s := &shared{undisturbed: true}
			s.card = newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
				time.Sleep(delay() / 10)
				return []byte{command[2], command[3], 0x90, 0x00}, nil
			})
			s.begin = func(context.Context) error { time.Sleep(delay() / 20); return nil }
			c := NewConn(s)
			var callers sync.WaitGroup
			for i := range 8 {
				callers.Go(func() {
					for j := range 12 {
						ctx, cancel := context.WithTimeout(t.Context(), delay())
						data, err := do(ctx, c, Command{INS: 0xB0, P1: byte(i), P2: byte(j), Le: 2})
						cancel()
						if err == nil && !bytes.Equal(data, []byte{byte(i), byte(j)}) {
							t.Errorf("caller %d, command %d: %X", i, j, data)
						}
						if err != nil && !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("error %v", err)
						}
					}
				})
			}
			callers.Wait()
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if s.begun.Load() != s.over.Load() {
				t.Errorf("%d transactions begun, %d ended", s.begun.Load(), s.over.Load())
			}
		})
	}
}

func TestUnitsExcludeEachOther(t *testing.T) {
	s := &shared{undisturbed: true}
	s.card = newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
		return []byte{command[3], 0x90, 0x00}, nil
	})
	c := dial(t, s)
	inside := 0
	var callers sync.WaitGroup
	for i := range 16 {
		ctx := context.Background()
		if i%2 == 0 {
			ctx = cancellable(t)
		}
		callers.Go(func() {
			for range 100 {
				err := c.Exclusive(ctx, aid, func(ctx context.Context, tx *Tx) error {
					inside++
					defer func() { inside-- }()
					for j := range byte(3) {
						data, err := tx.Do(ctx, Command{INS: 0xB0, P2: j, Le: 1})
						if err != nil || data[0] != j || inside != 1 {
							return fmt.Errorf("%X, %w, %d inside", data, err, inside)
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
}

// padCard is a card in a reader with keys.
type padCard struct {
	*shared
	wait time.Duration
	sw   Status
	err  error
}

func (p *padCard) Verify(ctx context.Context, b PINBlock) (Status, error) {
	time.Sleep(p.wait)
	return p.sw, p.err
}
func (p *padCard) Modify(ctx context.Context, b PINBlock) (Status, error) { return p.Verify(ctx, b) }

func TestPINEntryOnTheReaderIsPartOfTheUnit(t *testing.T) {
	block := PINBlock{Command: Command{INS: 0x20, P2: 1, Data: bytes.Repeat([]byte{0xFF}, 8)}, Min: 4, Max: 8, BlockSize: 8}
	enter := func(ctx context.Context, c *Conn) (sw Status, err error) {
		err = c.Exclusive(ctx, nil, func(ctx context.Context, tx *Tx) error {
			pad, ok := tx.PINPad()
			if !ok {
				t.Fatal("no keys")
			}
			sw, err = pad.Verify(ctx, block)
			return err
		})
		return sw, err
	}
	for _, tt := range []struct {
		sw   Status
		err  error
		want error
	}{{OK, nil, nil}, {0x63C1, nil, nil}, {0x6401, nil, nil}, {0, nil, ErrLink}, {0, ErrRemoved, ErrRemoved}, {0, ErrLink, ErrOutcomeUnknown}} {
		p := &padCard{shared: scenarioCard(t, nil), sw: tt.sw, err: tt.err}
		taps := 0
		c := dial(t, p, WithTrace(func([]byte, []byte, error) { taps++ }))
		sw, err := enter(cancellable(t), c)
		if !errors.Is(err, tt.want) || err == nil && sw != tt.sw || taps != 1 {
			t.Errorf("%v, %v: %v, %v, %d exchanges seen", tt.sw, tt.err, sw, err, taps)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		p := &padCard{shared: scenarioCard(t, nil), sw: OK, wait: 30 * time.Second}
		c := NewConn(p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := enter(ctx, c); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrOutcomeUnknown) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if sw, err := enter(t.Context(), c); sw != OK || err != nil || p.begun.Load() != p.over.Load() {
			t.Errorf("%v, %v", sw, err)
		}
		c.Close()
	})
	c := dial(t, scenarioCard(t, nil))
	c.Exclusive(t.Context(), nil, func(_ context.Context, tx *Tx) error {
		if _, ok := tx.PINPad(); ok {
			t.Error("keys on a reader without")
		}
		return nil
	})
}
