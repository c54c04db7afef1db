package apdu

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// inProcess is a shared card that answers quick at once, and anything else
// when it likes. Another program has it while taken is true.
type inProcess struct {
	*shared
	taken bool
}

func (p *inProcess) Immediate(command []byte) bool { return command[1] == quick.INS }

func (p *inProcess) TryBegin() (Transaction, bool, error) {
	if p.taken {
		return Transaction{}, false, nil
	}
	b, err := p.Begin(context.Background())
	return b, true, err
}

// What ends at once is not handed to another goroutine, whether or not the
// caller can be cancelled; all else is, so that the caller can leave.
func TestImmediateCallsAreMadeByTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &inProcess{shared: &shared{card: hanging(t, time.Minute)}}
		c := NewConn(p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 3 {
			if _, err := do(ctx, c, quick); err != nil {
				t.Error(err)
			}
		}
		if c.working {
			t.Error("the worker was called")
		}
		if _, err := do(ctx, c, slow); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("a slow command: %v", err)
		}
		time.Sleep(time.Minute)
		if _, err := do(ctx, c, quick); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("a caller who is cancelled already: %v", err)
		}
		if p.begun.Load() != 4 || p.over.Load() != 4 {
			t.Errorf("%d transactions begun, %d ended", p.begun.Load(), p.over.Load())
		}
		c.Close()
	})
}

// Waiting for another program's transaction is not immediate, and can be given
// up.
func TestTryBeginThatWouldWaitIsBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &inProcess{&shared{card: hanging(t, 0)}, true}
		p.begin = func(ctx context.Context) error { time.Sleep(time.Minute); return nil }
		c := NewConn(p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Exclusive(ctx, nil, nothing); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("error %v", err)
		}
		if err := c.Exclusive(t.Context(), nil, nothing); err != nil {
			t.Error(err)
		}
		if p.begun.Load() != 2 || p.over.Load() != 2 {
			t.Errorf("%d transactions begun, %d ended", p.begun.Load(), p.over.Load())
		}
		c.Close()
	})
}

// A reset is told by TryBegin as by Begin.
func TestTryBeginTellsOfAReset(t *testing.T) {
	told := false
	p := &inProcess{shared: &shared{card: hanging(t, 0)}}
	p.begin = func(context.Context) error {
		if !told {
			told = true
			return ErrReset
		}
		return nil
	}
	c := NewConn(p)
	defer c.Close()
	if _, err := do(cancellable(t), c, quick); err != nil || c.Resets() != 1 || c.Epoch() != 2 {
		t.Errorf("%v, %d resets, epoch %d", err, c.Resets(), c.Epoch())
	}
}

func TestPanicOfAnImmediateCallReachesTheCaller(t *testing.T) {
	p := &inProcess{shared: &shared{card: newCard(t, func(context.Context, []byte) ([]byte, error) { panic("broken") })}}
	c := NewConn(p)
	defer c.Close()
	func() {
		defer func() {
			if recover() != "broken" {
				t.Error("no panic")
			}
		}()
		do(cancellable(t), c, quick)
	}()
	p.answer = func(context.Context, []byte) ([]byte, error) { return []byte{0x90, 0}, nil }
	if _, err := do(cancellable(t), c, quick); err != nil || p.begun.Load() != p.over.Load() {
		t.Errorf("next command: %v", err)
	}
}
