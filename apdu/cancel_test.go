package apdu

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// hanging is a card that answers INS FE after a long time only, deaf to
// contexts as readers are, and everything else at once with its INS.
func hanging(t testing.TB, d time.Duration) *card {
	return newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
		if command[1] == 0xFE {
			time.Sleep(d)
		}
		return []byte{command[1], 0x90, 0x00}, nil
	})
}

var (
	slow  = Command{INS: 0xFE, Le: 256}
	quick = Command{INS: 0xB0, Le: 256}
)

// F7, F8, F9.
func TestCancelledCallerReturnsAtOnceAndTheLateAnswerIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{card: hanging(t, 13*time.Minute), undisturbed: true}
		c := NewConn(s)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := do(ctx, c, slow)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("error %v", err)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("returned after %v", d)
		}
		if s.over.Load() != 0 {
			t.Error("the transaction has ended under the exchange")
		}

		short, cancelShort := context.WithTimeout(t.Context(), time.Second)
		defer cancelShort()
		if _, err = do(short, c, quick); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("while the card is busy: %v", err)
		}

		before := c.Epoch()
		data, err := do(t.Context(), c, quick)
		if err != nil || !bytes.Equal(data, []byte{0xB0}) {
			t.Errorf("the next caller got %X, %v", data, err)
		}
		if d := time.Since(start); d != 13*time.Minute {
			t.Errorf("the next caller had its turn after %v", d)
		}
		if c.Epoch() != before+1 {
			t.Errorf("epoch went from %d to %d", before, c.Epoch())
		}
		if s.begun.Load() != 2 || s.over.Load() != 2 {
			t.Errorf("%d transactions begun, %d ended", s.begun.Load(), s.over.Load())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLateCommandAndAnswerAreCleared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var command, answer []byte
		c := NewConn(newCard(t, func(_ context.Context, sent []byte) ([]byte, error) {
			time.Sleep(time.Minute)
			command, answer = sent, []byte("secret\x90\x00")
			return answer, nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := do(ctx, c, Command{INS: 0x20, Data: []byte("1234")}); err == nil {
			t.Error("no error")
		}
		if err := c.Exclusive(t.Context(), nil, nothing); err != nil { // waits
			t.Error(err)
		}
		if !bytes.Equal(command, make([]byte, 9)) || !bytes.Equal(answer[:6], make([]byte, 6)) {
			t.Errorf("still there: %X, %X", command, answer)
		}
		c.Close()
	})
}

func TestSelectionIsForgottenAfterACutUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{card: hanging(t, time.Minute), undisturbed: true}
		c := NewConn(s)
		defer c.Close()
		selections := 0
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			err := c.Exclusive(ctx, aid, func(ctx context.Context, tx *Tx) error {
				if _, now := tx.Selected(); now {
					selections++
				}
				if i == 1 {
					time.AfterFunc(time.Second, cancel)
					_, err := tx.Do(ctx, slow)
					if _, again := tx.Do(context.Background(), quick); !errors.Is(again, context.Canceled) {
						t.Errorf("a cut unit goes on: %v", again)
					}
					tx.Unselect()
					return err
				}
				return nil
			})
			if (err != nil) != (i == 1) {
				t.Errorf("unit %d: %v", i, err)
			}
			cancel()
		}
		if selections != 2 {
			t.Errorf("selected %d times, want 2", selections)
		}
	})
}

func TestCancelledBeforeACommandIsNotUnsure(t *testing.T) {
	s := &shared{card: script(t)}
	c := dial(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Exclusive(ctx, nil, func(ctx context.Context, tx *Tx) error {
		cancel()
		_, err := tx.Do(ctx, slow)
		return err
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, ErrOutcomeUnknown) || c.Epoch() != 1 {
		t.Errorf("%v, epoch %d", err, c.Epoch())
	}
	if err := c.Exclusive(ctx, nil, nothing); !errors.Is(err, context.Canceled) || s.begun.Load() != 1 {
		t.Errorf("%v after %d transactions", err, s.begun.Load())
	}
}

func TestCancelledBetweenTheLinksOfAChainCutsTheUnit(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := dial(t, newCard(t, func(context.Context, []byte) ([]byte, error) {
		cancel()
		return unhex("9000"), nil
	}))
	_, err := do(ctx, c, Command{INS: 0xDB, Data: repeat(600)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := c.Exclusive(t.Context(), nil, nothing); err != nil || c.Epoch() != 2 {
		t.Errorf("next unit: %v, epoch %d", err, c.Epoch())
	}
}

func TestTransactionThatBeginsTooLateIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shared{card: hanging(t, 0)}
		s.begin = func(context.Context) error { time.Sleep(time.Minute); return nil }
		c := NewConn(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Exclusive(ctx, nil, nothing); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		s.begin = nil
		if err := c.Exclusive(t.Context(), nil, nothing); err != nil {
			t.Error(err)
		}
		if s.begun.Load() != 2 || s.over.Load() != 2 || c.Epoch() != 1 {
			t.Errorf("%d begun, %d ended, epoch %d", s.begun.Load(), s.over.Load(), c.Epoch())
		}
		c.Close()
	})
}

func TestUncancellableCallerWaitsForTheCard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConn(hanging(t, 3*time.Minute)) // F6: no deadline of our own
		data, err := do(context.Background(), c, slow)
		if err != nil || !bytes.Equal(data, []byte{0xFE}) {
			t.Errorf("%X, %v", data, err)
		}
		c.Close()
	})
}

func TestCloseWaitsAtMostASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := hanging(t, time.Hour)
		c := NewConn(k)
		running, waiting := make(chan error, 1), make(chan error, 1)
		go func() { _, err := do(t.Context(), c, slow); running <- err }()
		synctest.Wait()
		go func() { _, err := do(t.Context(), c, quick); waiting <- err }()
		synctest.Wait()

		start := time.Now()
		err := c.Close()
		if d := time.Since(start); d != time.Second || err == nil {
			t.Errorf("Close returned after %v: %v", d, err)
		}
		if err := <-running; !errors.Is(err, ErrClosed) || !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("the running unit: %v", err)
		}
		if err := <-waiting; !errors.Is(err, ErrClosed) || errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("the waiting unit: %v", err)
		}
		if time.Since(start) != time.Second {
			t.Errorf("they returned after %v", time.Since(start))
		}
		if c.Alive() {
			t.Error("alive")
		}
		time.Sleep(2 * time.Hour)
		if k.closed.Load() != 1 {
			t.Errorf("transport closed %d times", k.closed.Load())
		}
		if err := c.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
		if _, err := do(t.Context(), c, quick); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestCloseLetsTheRunningUnitEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewConn(hanging(t, 300*time.Millisecond))
		result := make(chan error, 1)
		go func() {
			result <- c.Exclusive(t.Context(), nil, func(ctx context.Context, tx *Tx) error {
				for range 3 {
					if _, err := tx.Do(ctx, slow); err != nil {
						return err
					}
				}
				return nil
			})
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestPanicOfTheTransportReachesTheCaller(t *testing.T) {
	for _, ctx := range []context.Context{context.Background(), cancellable(t)} {
		boom := true
		s := &shared{card: newCard(t, func(context.Context, []byte) ([]byte, error) {
			if boom {
				panic("boom")
			}
			return unhex("9000"), nil
		}), undisturbed: true}
		c := dial(t, s)
		func() {
			defer func() {
				if r := recover(); r != "boom" {
					t.Errorf("recovered %v", r)
				}
			}()
			do(ctx, c, quick)
		}()
		boom = false
		if _, err := do(ctx, c, quick); err != nil {
			t.Error(err)
		}
		if s.begun.Load() != 2 || s.over.Load() != 2 || c.Epoch() != 2 {
			t.Errorf("%d begun, %d ended, epoch %d", s.begun.Load(), s.over.Load(), c.Epoch())
		}
	}
}

// lateProvider connects after a minute.
type lateProvider struct {
	Provider
	card *card
}

func (p lateProvider) Connect(context.Context, string) (Transport, error) {
	time.Sleep(time.Minute)
	return p.card, nil
}

func TestConnectionThatComesTooLateIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := lateProvider{card: newCard(t, nil)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Dial(ctx, p, "Test 00"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
		if p.card.closed.Load() != 1 {
			t.Errorf("closed %d times", p.card.closed.Load())
		}
		c, err := Dial(t.Context(), p, "Test 00")
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	})
}
