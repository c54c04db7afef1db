package apdu

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
)

var aid = unhex("A000000063504B43532D3135")

const selectAID = "00A404000CA000000063504B43532D313500"

func nothing(context.Context, *Tx) error { return nil }

func TestApplicationStaysSelectedWhileNobodyElseUsesTheCard(t *testing.T) {
	s := &shared{card: script(t,
		selectAID+"> 6F00 9000",
		"00B0000001 > 01 9000",
		"00B0000001 > 02 9000",
		selectAID+"> 6F00 9000",
		"00B0000001 > 03 9000",
	)}
	c := dial(t, s)
	ctx := context.Background()
	read := func(wantNow, wantDisturbed bool) {
		t.Helper()
		err := c.Exclusive(ctx, aid, func(ctx context.Context, tx *Tx) error {
			fci, now := tx.Selected()
			if string(fci) != "\x6F\x00" || now != wantNow {
				t.Errorf("selected: %X, now %v, want now %v", fci, now, wantNow)
			}
			if tx.Disturbed() != wantDisturbed {
				t.Errorf("disturbed is %v", tx.Disturbed())
			}
			_, err := tx.Do(ctx, Command{INS: 0xB0, Le: 1})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(true, true)
	s.undisturbed = true
	read(false, false)
	s.undisturbed = false
	read(true, true)
	if c.Epoch() != 1 {
		t.Errorf("epoch is %d: a disturbance alone changes nothing", c.Epoch())
	}
}

func TestResetBeforeTheUnitIsRepaired(t *testing.T) {
	resets := 1
	s := &shared{card: script(t, selectAID+"> 9000", selectAID+"> 9000"), undisturbed: true}
	s.begin = func(context.Context) error {
		if resets > 0 {
			resets--
			return ErrReset
		}
		return nil
	}
	c := dial(t, s)
	for i := range 2 {
		before := c.Epoch()
		err := c.Exclusive(context.Background(), aid, func(_ context.Context, tx *Tx) error {
			if !tx.Disturbed() {
				t.Error("a reset is a disturbance")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			resets = 1
		}
		if c.Epoch() != before+1 {
			t.Errorf("epoch went from %d to %d", before, c.Epoch())
		}
	}
	resets = 2
	if err := c.Exclusive(context.Background(), aid, nothing); !errors.Is(err, ErrReset) {
		t.Errorf("two resets in a row: %v", err)
	}
}

func TestResetThatTheSelectMeetsIsRepaired(t *testing.T) {
	n := 0
	c := dial(t, newCard(t, func(context.Context, []byte) ([]byte, error) {
		if n++; n == 1 {
			return nil, ErrReset
		}
		return unhex("9000"), nil
	}))
	err := c.Exclusive(context.Background(), aid, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Do(ctx, Command{INS: 0xB0, Le: 1})
		return err
	})
	if err != nil || n != 3 || c.Epoch() != 2 {
		t.Errorf("%v after %d commands, epoch %d", err, n, c.Epoch())
	}
}

func TestTransactionEndsHoweverTheUnitEnds(t *testing.T) {
	boom := errors.New("boom")
	for _, ctx := range []context.Context{context.Background(), cancellable(t)} {
		s := &shared{card: newCard(t, nil)}
		c := dial(t, s)
		if err := c.Exclusive(ctx, nil, func(context.Context, *Tx) error { return boom }); err != boom {
			t.Errorf("error is %v", err)
		}
		func() {
			defer func() {
				if recover() != "boom" {
					t.Error("panic did not reach the caller")
				}
			}()
			c.Exclusive(ctx, nil, func(context.Context, *Tx) error { panic("boom") })
		}()
		var wg sync.WaitGroup
		wg.Go(func() {
			c.Exclusive(ctx, nil, func(context.Context, *Tx) error { runtime.Goexit(); return nil })
		})
		wg.Wait()
		ctx, cancel := context.WithCancel(ctx)
		c.Exclusive(ctx, nil, func(context.Context, *Tx) error { cancel(); return nil })
		c.Exclusive(context.Background(), nil, nothing) // waits for what the others left
		if s.begun.Load() != 5 || s.over.Load() != 5 {
			t.Errorf("%d transactions begun, %d ended", s.begun.Load(), s.over.Load())
		}
	}
}

func cancellable(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}

func TestNestedUnitJoins(t *testing.T) {
	other := "00A4040005A00000000100"
	s := &shared{card: script(t,
		selectAID+"> 9000",
		"00B0000001 > 01 9000",
		other+"> 9000",
		"00B0000001 > 02 9000",
		selectAID+"> 9000",
	)}
	c := dial(t, s)
	read := func(ctx context.Context, tx *Tx) error {
		_, err := tx.Do(ctx, Command{INS: 0xB0, Le: 1})
		return err
	}
	err := c.Exclusive(context.Background(), aid, func(ctx context.Context, tx *Tx) error {
		if err := c.Exclusive(ctx, aid, read); err != nil {
			return err
		}
		return c.Exclusive(ctx, unhex("A000000001"), read)
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.begun.Load() != 1 {
		t.Errorf("%d transactions", s.begun.Load())
	}
}

func TestContextOutlivingItsUnitDoesNotJoin(t *testing.T) {
	s := &shared{card: newCard(t, nil)}
	c := dial(t, s)
	var kept context.Context
	var keptTx *Tx
	c.Exclusive(context.Background(), nil, func(ctx context.Context, tx *Tx) error {
		kept, keptTx = ctx, tx
		return nil
	})
	if _, err := keptTx.Do(kept, Command{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after the unit: %v", err)
	}
	if err := c.Exclusive(kept, nil, nothing); err != nil || s.begun.Load() != 2 {
		t.Errorf("%v after %d transactions", err, s.begun.Load())
	}
}

func TestRefusedSelectIsTheErrorOfTheUnit(t *testing.T) {
	c := dial(t, script(t, selectAID+"> 6A82", selectAID+"> 6283", selectAID+"> 6285"))
	for i, want := range []error{SWFileNotFound, nil, SWTerminated} {
		ran := false
		err := c.Exclusive(context.Background(), aid, func(context.Context, *Tx) error { ran = true; return nil })
		if !errors.Is(err, want) || ran != (want == nil) {
			t.Errorf("unit %d: %v, ran %v", i, err, ran)
		}
		c.forget()
	}
}

func TestOwnSelectIsNoticed(t *testing.T) {
	c := dial(t, script(t,
		selectAID+"> 9000", "00A4040001A0 > 9000",
		selectAID+"> 9000", "00A40000023F00 > 9000",
		"00A40000023F00 > 9000",
		selectAID+"> 9000",
		selectAID+"> 9000",
	))
	run := func(aid []byte, f func(ctx context.Context, tx *Tx) error) {
		t.Helper()
		if err := c.Exclusive(context.Background(), aid, f); err != nil {
			t.Error(err)
		}
	}
	send := func(cmd Command) func(ctx context.Context, tx *Tx) error {
		return func(ctx context.Context, tx *Tx) error { _, err := tx.Do(ctx, cmd); return err }
	}
	mf := Command{INS: 0xA4, Data: []byte{0x3F, 0x00}}
	run(aid, send(Command{INS: 0xA4, P1: 4, Data: []byte{0xA0}}))
	run(aid, send(mf)) // within the application: its driver knows
	run(aid, nothing)
	run(nil, send(mf)) // nobody's driver: what is selected is not known
	run(aid, func(_ context.Context, tx *Tx) error { tx.Unselect(); return nil })
	run(aid, nothing)
}
