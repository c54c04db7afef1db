package apdu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// MaxAID is the length in bytes of the longest application identifier, ISO
// 7816-4 §12.3.4.
const MaxAID = 16

// A unit is one stay at the card: from taking the lock and beginning the
// transaction to its end.
type unit struct {
	conn      *Conn
	disturbed bool
	left      bool  // lock and transaction are the worker's
	busy      bool  // an exchange is under way
	failed    error // why no command of this unit is sent any more
	lastTry   bool  // the command under way is not repeated if the link fails
	// Of the last failure: it was a reset; or one of the link alone, after
	// which a command may be repeated.
	wasReset, repairable bool
	ended                atomic.Bool
	outer                Tx // of the caller who began the unit
}

// Tx is the right to send commands within one unit. It is used by one goroutine
// at a time, and not after its unit has ended.
type Tx struct {
	u   *unit
	aid []byte
	fci []byte
	now bool
}

type unitKey struct{ c *Conn }

// Exclusive runs f as one unit: in one transaction, in which nobody else sends
// anything, with the application aid selected. A nil aid selects nothing. The
// application is not selected again if it still is since an earlier unit; see
// [Tx.Selected]. The bytes of aid are not changed until the unit has ended.
//
// Within f, a call of Exclusive with the context that f was given joins the
// unit. If it names another application, that one is selected for its time, and
// the outer one again afterwards.
//
// The transaction ends however f ends, also by panic. A reset before the first
// command is repaired; the epoch grows. The errors are those of f; the Status
// of a refused SELECT; [ErrRemoved], [ErrReset], [ErrLink], [ErrInUse],
// [ErrClosed]; or the error of the context. If that comes in the middle of an
// exchange, [ErrOutcomeUnknown] goes with it, and the Conn stays locked until the card
// has answered.
func (c *Conn) Exclusive(ctx context.Context, aid []byte, f func(ctx context.Context, tx *Tx) error) error {
	if len(aid) > MaxAID {
		return fmt.Errorf("SELECT %X: %w: an AID has at most %d bytes", aid, ErrTooLong, MaxAID)
	}
	if outer, ok := ctx.Value(unitKey{c}).(*Tx); ok && !outer.u.ended.Load() {
		return outer.join(ctx, aid, f)
	}
	u, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer u.leave(ctx)
	tx := &u.outer
	tx.u, tx.aid = u, aid
	if err := tx.selectApplication(ctx); err != nil {
		return err
	}
	return f(context.WithValue(ctx, unitKey{c}, tx), tx)
}

// enter takes the lock and begins the transaction.
func (c *Conn) enter(ctx context.Context) (*unit, error) {
	if err := c.acquire(ctx); err != nil {
		return nil, err
	}
	u := &unit{conn: c}
	begun := false
	defer func() {
		if !begun && !u.left {
			c.release()
		}
	}()
	if err := u.begin(ctx); err != nil {
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	begun = true
	return u, nil
}

// begin begins the transaction, a second time if the first told of a reset.
func (u *unit) begin(ctx context.Context) error {
	c := u.conn
	if c.transactor == nil {
		return nil
	}
	for attempt := 0; ; attempt++ {
		if reason := u.tryBegin(ctx); reason != nil {
			u.left = true
			return reason
		}
		c.began()
		err := c.call.err
		if err == nil {
			u.disturbed = attempt > 0 || !c.call.begun.Undisturbed
			return nil
		}
		if attempt > 0 || !errors.Is(err, ErrReset) {
			return err
		}
	}
}

// tryBegin begins the transaction, at once if that can be. A non-nil result is
// that of [Conn.run].
func (u *unit) tryBegin(ctx context.Context) error {
	c := u.conn
	if c.immediacy != nil && ctx.Done() != nil {
		c.call.reset(ctx, doTryBegin, lateBegin)
		if c.call.do(c); c.call.immediate {
			return nil
		}
	}
	c.call.reset(ctx, doBegin, lateBegin)
	return c.run()
}

// began keeps what the transport told with the beginning of a transaction.
func (c *Conn) began() {
	if c.call.err != nil {
		c.note(c.call.err)
		return
	}
	c.end = c.call.begun.End
	if !c.call.begun.Undisturbed {
		c.forget()
		c.disturbances.Add(1)
	}
}

// leave ends the transaction and gives the lock back, unless both went to the
// worker.
func (u *unit) leave(ctx context.Context) {
	u.ended.Store(true)
	if u.left {
		return
	}
	c := u.conn
	if u.busy { // the transport panicked
		c.lost()
	}
	if c.end != nil {
		c.call.reset(ctx, doEnd, lateEnd)
		c.call.immediate = c.immediacy != nil
		if reason := c.runEnd(); reason != nil {
			return
		}
		c.note(c.call.err)
	}
	c.release()
}

func (c *Conn) endTransaction() error {
	end := c.end
	c.end = nil
	return end()
}

// join runs f within the unit of t.
func (t *Tx) join(ctx context.Context, aid []byte, f func(ctx context.Context, tx *Tx) error) error {
	if err := t.u.check(ctx); err != nil {
		return err
	}
	if len(aid) == 0 || bytes.Equal(aid, t.aid) && bytes.Equal(aid, t.u.conn.selected) {
		return f(ctx, t)
	}
	inner := &Tx{u: t.u, aid: bytes.Clone(aid)}
	if err := inner.selectApplication(ctx); err != nil {
		t.restore(ctx)
		return err
	}
	returned := false
	defer func() {
		if !returned { // by panic: what the outer unit relies on is gone
			t.u.fail(errors.New("a unit within this one did not return"))
		}
	}()
	err := f(context.WithValue(ctx, unitKey{t.u.conn}, inner), inner)
	returned = true
	if restoreErr := t.restore(ctx); err == nil {
		err = restoreErr
	}
	return err
}

// restore selects the application of t again after another one had its turn.
func (t *Tx) restore(ctx context.Context) error {
	if t.u.failed != nil {
		return nil
	}
	if err := t.selectApplication(ctx); err != nil {
		t.u.fail(err)
		return err
	}
	return nil
}

// check tells whether a command of this unit may be sent.
func (u *unit) check(ctx context.Context) error {
	switch {
	case u.ended.Load():
		return fmt.Errorf("the unit has ended: %w", ErrClosed)
	case u.failed != nil:
		return fmt.Errorf("the unit was cut off: %w", u.failed)
	}
	return ctx.Err()
}

// fail has every later command of the unit refused: it would meet a card whose
// state is not known.
func (u *unit) fail(err error) {
	if u.failed == nil {
		u.failed = err
	}
}
