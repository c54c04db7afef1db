package p11kit

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// kind is a kind of operation, of which a session has one at a time.
type kind int

const (
	encrypting kind = iota
	decrypting
	digesting
	signing
	verifying
	signRecovering
	verifyRecovering
	kinds
)

// operation is one that is under way.
type operation struct {
	active bool
	multi  bool // an update has come
	fed    int  // bytes that came with updates
	gave   int  // bytes that updates gave
	enc    *session.EncryptOp
	sign   *session.SignOp
	verify *session.VerifyOp
	dec    *session.DecryptOp
	digest *session.DigestOp
	use    *session.KeyOp      // with recovery
	m      mechanism.Mechanism // of a digest
	result []byte              // that did not fit the caller's buffer
	ready  bool                // there is a result
	last   bool                // the result is that of the end
}

// begin starts an operation; a NULL mechanism ends the one that is active.
func (c *client) begin(k kind, m mechanism.Mechanism, start func(op *operation) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m == nil {
		if !c.ops[k].active {
			return ckr.OperationNotInitialized
		}
		c.end(k)
		return nil
	}
	if c.ops[k].spent() {
		c.end(k)
	}
	if c.ops[k].active {
		return ckr.OperationActive
	}
	op := operation{active: true}
	if err := start(&op); err != nil {
		return err
	}
	c.ops[k] = op
	return nil
}

// spent reports whether the caller has all of a result without a byte. It may
// ask once more, if it asked for the length; a caller that had no room because
// it needs none, as Java's, does not: the protocol tells them not apart.
func (op *operation) spent() bool { return op.ready && op.last && len(op.result) == 0 }

// end ends an operation and clears what it holds. The caller holds c.mu.
func (c *client) end(k kind) {
	op := &c.ops[k]
	if op.enc != nil {
		op.enc.Close()
	}
	if op.sign != nil {
		op.sign.Close()
	}
	if op.verify != nil {
		op.verify.Close()
	}
	if op.dec != nil {
		op.dec.Close()
	}
	if op.use != nil {
		op.use.Close()
	}
	clear(op.result)
	c.ops[k] = operation{}
}

// with runs f on the active operation of a kind. An error ends it.
func (c *client) with(k kind, f func(op *operation) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	op := &c.ops[k]
	if !op.active {
		return ckr.OperationNotInitialized
	}
	err := f(op)
	if err != nil {
		c.end(k)
	}
	return err
}

// deliver writes a result of an operation: its length only, if the caller asks
// for that or has too little room, and the operation stays; else all of it, and
// the operation ends. bound is what a query is told before the result is known;
// compute makes the result, once.
func (c *client) deliver(k kind, w *writer, room room, bound int, compute func(op *operation) ([]byte, error)) error {
	return c.with(k, func(op *operation) error {
		if op.ready && !op.last {
			return ckr.OperationActive // what a part gave was not fetched
		}
		if !op.ready && bound > 0 && (room.query || room.size < bound && k == signing) {
			w.length(bound)
			return nil
		}
		if !op.ready {
			result, err := compute(op)
			if err != nil {
				return err
			}
			op.result, op.ready, op.last = result, true, true
		}
		if op.give(w, room) {
			c.end(k)
		}
		return nil
	})
}

// give writes the result, or how long it is if there is too little room for
// it. A result without a byte is written also to who asks for its length:
// clients take a length for too little room, even if it is 0.
func (op *operation) give(w *writer, room room) bool {
	if len(op.result) == 0 {
		w.bytes([]byte{})
		return !room.query
	}
	if room.query || room.size < len(op.result) {
		w.length(len(op.result))
		return false
	}
	w.bytes(op.result)
	return true
}

// slack is by how much the result of a part may be longer than the part: what
// was held back of earlier ones.
const slack = 32

// part writes the result of one part of the data; size is that of the part. The
// operation stays. A result that does not fit waits for the call to be made
// again, which then does not count as another part.
func (c *client) part(k kind, w *writer, room room, size int, compute func(op *operation) ([]byte, error)) error {
	return c.with(k, func(op *operation) error {
		switch {
		case op.ready && op.last:
			return ckr.OperationActive // the end was asked for already
		case !op.ready && room.query:
			w.length(size + slack)
			return nil
		case !op.ready:
			op.multi = true
			op.fed += size
			result, err := compute(op)
			if err != nil {
				return err
			}
			op.gave += len(result)
			op.result, op.ready = result, true
		}
		if op.give(w, room) {
			clear(op.result)
			op.result, op.ready = nil, false
		}
		return nil
	})
}

// both is part of two operations at once: the second takes part, too. An error
// ends both.
func (c *client) both(k, second kind, w *writer, room room, size int, compute func(op, second *operation) ([]byte, error)) error {
	return c.part(k, w, room, size, func(op *operation) ([]byte, error) {
		if !c.ops[second].active {
			return nil, ckr.OperationNotInitialized
		}
		c.ops[second].multi = true
		result, err := compute(op, &c.ops[second])
		if err != nil {
			c.end(second)
		}
		return result, err
	})
}

// loginOperation hands a context-specific login to the operation that waits
// for it.
func (c *client) loginOperation(ctx context.Context, pin token.PIN) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ops[signing].active:
		return c.ops[signing].sign.Login(ctx, pin)
	case c.ops[decrypting].active:
		return c.ops[decrypting].dec.Login(ctx, pin)
	case c.ops[signRecovering].active:
		return c.ops[signRecovering].use.Login(ctx, pin)
	}
	return ckr.OperationNotInitialized
}
