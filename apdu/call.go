package apdu

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// endGrace is how long a caller that is already cancelled waits for the end of
// its transaction, which takes no time unless the reader hangs.
const endGrace = 20 * time.Millisecond

// A call is one call to the transport. A caller that can be cancelled has it
// made by the worker, a goroutine of the Conn, and may leave it behind: then
// the worker finishes what the caller cannot. All others call directly, and so
// does everybody where the transport knows that the call ends at once.
type call struct {
	ctx       context.Context
	do        func(*Conn)
	command   []byte
	response  []byte
	block     PINBlock
	status    Status
	begun     Transaction
	err       error
	immediate bool // ends at once
	// late finishes for a caller that left.
	late     func(*Conn)
	panicked any
	state    atomic.Int32
}

// States of a call that is with the worker.
const (
	pending int32 = iota
	finished
	abandoned
)

// reset prepares the call for its next use.
func (k *call) reset(ctx context.Context, do, late func(*Conn)) {
	k.ctx, k.do, k.late = ctx, do, late
	k.command, k.response, k.block, k.status = nil, nil, PINBlock{}, 0
	k.begun, k.err, k.panicked = Transaction{}, nil, nil
	k.immediate = false
}

// The calls there are. They are functions without a closure, so that a call
// allocates nothing.
func doTransmit(c *Conn) {
	c.call.response, c.call.err = c.transport.Transmit(c.call.ctx, c.call.command)
}
func doBegin(c *Conn) { c.call.begun, c.call.err = c.transactor.Begin(c.call.ctx) }
func doTryBegin(c *Conn) {
	c.call.begun, c.call.immediate, c.call.err = c.immediacy.TryBegin()
}
func doEnd(c *Conn) { c.call.err = c.endTransaction() }
func doVerify(c *Conn) {
	c.call.status, c.call.err = c.transport.(PINPad).Verify(c.call.ctx, c.call.block)
}
func doModify(c *Conn) {
	c.call.status, c.call.err = c.transport.(PINPad).Modify(c.call.ctx, c.call.block)
}

// run makes the call that was prepared. A non-nil result says why the caller
// must leave: then the lock, the transaction and all that is in c are the
// worker's, and not even to be looked at.
func (c *Conn) run() error {
	ctx := c.call.ctx
	if ctx.Done() == nil || c.call.immediate {
		c.call.do(c)
		return nil
	}
	c.start()
	select {
	case <-c.done:
		return c.finished()
	case <-ctx.Done():
		return c.leave(ctx.Err())
	case <-c.cut:
		return c.leave(ErrClosed)
	}
}

// runEnd is run for the end of a transaction: a caller that is cancelled waits
// a moment for it, as it is the last call of its unit.
func (c *Conn) runEnd() error {
	ctx := c.call.ctx
	if ctx.Done() == nil || c.call.immediate {
		c.call.do(c)
		return nil
	}
	c.start()
	select {
	case <-c.done:
		return c.finished()
	case <-ctx.Done():
	case <-c.cut:
	}
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	select {
	case <-c.done:
		return c.finished()
	case <-grace.C:
		return c.leave(ErrClosed)
	}
}

// start hands the prepared call to the worker.
func (c *Conn) start() {
	c.call.state.Store(pending)
	if !c.working {
		c.working = true
		go c.worker()
	}
	c.work <- struct{}{}
}

// leave gives the call up, unless it ended at the last moment.
func (c *Conn) leave(reason error) error {
	if c.call.state.CompareAndSwap(pending, abandoned) {
		return reason
	}
	<-c.done
	return c.finished()
}

// finished passes a panic of the transport on to the caller.
func (c *Conn) finished() error {
	if p := c.call.panicked; p != nil {
		panic(p)
	}
	return nil
}

func (c *Conn) worker() {
	for range c.work {
		c.step()
	}
}

// step makes one call and tells the caller, or finishes for a caller that left.
func (c *Conn) step() {
	returned := false
	defer func() {
		if !returned {
			c.call.panicked = recover()
			c.call.err = fmt.Errorf("%w: the transport gave up", ErrLink)
			c.working = c.call.panicked != nil // else the goroutine ends here
		}
		if c.call.state.CompareAndSwap(pending, finished) {
			c.done <- struct{}{}
			return
		}
		c.call.late(c)
		if c.end != nil {
			c.note(c.endTransaction())
		}
		c.release()
	}()
	c.call.do(c)
	returned = true
}

// lateExchange drops an answer that came too late.
func lateExchange(c *Conn) {
	clear(c.call.command)
	clear(c.call.response[:max(0, len(c.call.response)-2)])
	c.call.response = nil
	c.note(c.call.err)
	c.lost()
}

// lateBegin keeps what a transaction that nobody wants any more has told.
func lateBegin(c *Conn) { c.began() }

// lateEnd keeps what the end of a transaction has told.
func lateEnd(c *Conn) { c.note(c.call.err) }
