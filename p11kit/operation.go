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
	kinds
)

// operation is one that is under way.
type operation struct {
	active bool
	multi  bool // an update has come
	enc    *session.EncryptOp
	sign   *session.SignOp
	verify *session.VerifyOp
	dec    *session.DecryptOp
	digest *session.DigestOp
	data   []byte // of encryption and decryption in parts
	result []byte // that did not fit the caller's buffer
	ready  bool
}

// maxParts bounds the data of an encryption in parts.
const maxParts = maxMessage

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
	clear(op.data)
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
		if !op.ready && bound > 0 && (room.query || room.size < bound && k == signing) {
			w.length(bound)
			return nil
		}
		if !op.ready {
			result, err := compute(op)
			if err != nil {
				return err
			}
			op.result, op.ready = result, true
		}
		if room.query || room.size < len(op.result) {
			w.length(len(op.result))
			return nil
		}
		w.bytes(op.result)
		c.end(k)
		return nil
	})
}

// add takes a part of the data that an encryption or decryption needs whole.
func (op *operation) add(p []byte) error {
	if len(p) > maxParts-len(op.data) {
		return ckr.DataLenRange
	}
	op.data = append(op.data, p...)
	return nil
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
	}
	return ckr.OperationNotInitialized
}
