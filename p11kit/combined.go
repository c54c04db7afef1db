package p11kit

import (
	"context"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/session"
)

// The calls that run two operations over the same data.

var digestEncryptUpdate = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.both(encrypting, digesting, w, room, len(data), func(e, d *operation) ([]byte, error) {
		return session.DigestEncrypt(ctx, d.digest, e.enc, data)
	})
})

var signEncryptUpdate = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.both(encrypting, signing, w, room, len(data), func(e, s *operation) ([]byte, error) {
		return session.SignEncrypt(ctx, s.sign, e.enc, data)
	})
})

var decryptDigestUpdate = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.both(decrypting, digesting, w, room, len(data), func(e, d *operation) ([]byte, error) {
		return session.DecryptDigest(ctx, e.dec, d.digest, data)
	})
})

var decryptVerifyUpdate = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.both(decrypting, verifying, w, room, len(data), func(e, v *operation) ([]byte, error) {
		return session.DecryptVerify(ctx, e.dec, v.verify, data)
	})
})

// recoverInit begins a signature with recovery, or the verification of one.
func recoverInit(k kind, use mechanism.Flags) handler {
	return on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
		m, key := r.mechanism(), c.object(r.ulong())
		if r.err != nil {
			return r.err
		}
		return c.begin(k, m, func(op *operation) (err error) {
			op.use, err = c.s.NewKeyOp(ctx, use, m, key)
			return err
		})
	})
}

// recoverWith carries such an operation out. What comes out is kept if it does
// not fit, so that the key is used once.
func recoverWith(k kind, use func(o *session.KeyOp, ctx context.Context, data []byte) ([]byte, error)) handler {
	return on(func(ctx context.Context, c *client, r *reader, w *writer) error {
		data, room := r.bytes(), r.room()
		return c.deliver(k, w, room, 0, func(op *operation) ([]byte, error) { return use(op.use, ctx, data) })
	})
}

var (
	signRecover   = recoverWith(signRecovering, (*session.KeyOp).SignRecover)
	verifyRecover = recoverWith(verifyRecovering, (*session.KeyOp).VerifyRecover)
)

// The state of an operation is the type of its mechanism and what the digest
// tells of itself. Only a digest that is the only operation has one.

var getOperationState = on(func(_ context.Context, c *client, r *reader, w *writer) error {
	room := r.room()
	c.mu.Lock()
	defer c.mu.Unlock()
	active := 0
	for _, op := range c.ops {
		if op.active {
			active++
		}
	}
	op := &c.ops[digesting]
	switch {
	case active == 0:
		return ckr.OperationNotInitialized
	case active > 1 || !op.active:
		return ckr.StateUnsaveable
	}
	state, err := op.digest.State()
	if err != nil {
		return err
	}
	state = append(binary.BigEndian.AppendUint64(nil, uint64(op.m.Type())), state...)
	if room.query || room.size < len(state) {
		w.length(len(state))
		return nil
	}
	w.bytes(state)
	return nil
})

var setOperationState = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	state := r.bytes()
	if encryption, authentication := r.ulong(), r.ulong(); encryption != 0 || authentication != 0 {
		return ckr.KeyNotNeeded
	}
	if len(state) < 8 {
		return ckr.SavedStateInvalid
	}
	m := mechanism.Resolve(mechanism.Raw{T: mechanism.Type(binary.BigEndian.Uint64(state))})
	digest, err := c.s.ResumeDigest(ctx, m, state[8:])
	if err != nil {
		if _, sessionErr := c.s.Info(); sessionErr != nil {
			return sessionErr
		}
		return ckr.SavedStateInvalid
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.ops {
		c.end(kind(k))
	}
	c.ops[digesting] = operation{active: true, multi: true, m: m, digest: digest}
	return nil
})
