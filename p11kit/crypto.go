package p11kit

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
)

var encryptInit = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	m, key := r.mechanism(), c.object(r.ulong())
	if r.err != nil {
		return r.err
	}
	return c.begin(encrypting, m, func(op *operation) (err error) {
		op.enc, err = c.s.NewEncrypt(ctx, m, key)
		return err
	})
})

var encrypt = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.deliver(encrypting, w, room, 0, func(op *operation) ([]byte, error) {
		if op.multi {
			return nil, ckr.OperationActive
		}
		return op.enc.Encrypt(ctx, data)
	})
})

var encryptUpdate = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.part(encrypting, w, room, len(data), func(op *operation) ([]byte, error) { return op.enc.Update(ctx, data) })
})

var encryptFinal = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	return c.deliver(encrypting, w, r.room(), 0, func(op *operation) ([]byte, error) { return op.enc.Final(ctx) })
})

var decryptInit = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	m, key := r.mechanism(), c.object(r.ulong())
	if r.err != nil {
		return r.err
	}
	return c.begin(decrypting, m, func(op *operation) (err error) {
		op.dec, err = c.s.NewDecrypt(ctx, m, key)
		return err
	})
})

// A query for the length of a plaintext is answered with a bound: the
// ciphertext's.
var decrypt = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.deliver(decrypting, w, room, len(data), func(op *operation) ([]byte, error) {
		if op.multi {
			return nil, ckr.OperationActive
		}
		return op.dec.Decrypt(ctx, data)
	})
})

var decryptUpdate = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.part(decrypting, w, room, len(data), func(op *operation) ([]byte, error) { return op.dec.Update(ctx, data) })
})

var decryptFinal = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	c.mu.Lock()
	bound := c.ops[decrypting].fed - c.ops[decrypting].gave
	c.mu.Unlock()
	return c.deliver(decrypting, w, r.room(), bound, func(op *operation) ([]byte, error) { return op.dec.Final(ctx) })
})

var digestInit = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	m := r.mechanism()
	if r.err != nil {
		return r.err
	}
	return c.begin(digesting, m, func(op *operation) (err error) {
		op.m = m
		op.digest, err = c.s.NewDigest(ctx, m)
		return err
	})
})

// digestSize is the length of the digest that is under way, or 0.
func (c *client) digestSize() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.ops[digesting].digest; d != nil {
		return d.Size()
	}
	return 0
}

var digest = on(func(_ context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	size := c.digestSize()
	if !room.query && room.size < size {
		room.query = true // too little room keeps the operation
	}
	return c.deliver(digesting, w, room, size, func(op *operation) ([]byte, error) {
		if op.multi {
			return nil, ckr.OperationActive
		}
		op.digest.Write(data)
		return op.digest.Sum(nil), nil
	})
})

var digestUpdate = on(func(_ context.Context, c *client, r *reader, _ *writer) error {
	data := r.bytes()
	return c.with(digesting, func(op *operation) error {
		op.multi = true
		op.digest.Write(data)
		return nil
	})
})

var digestKey = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	key := c.object(r.ulong())
	return c.with(digesting, func(op *operation) error {
		op.multi = true
		return op.digest.Key(ctx, key)
	})
})

var digestFinal = on(func(_ context.Context, c *client, r *reader, w *writer) error {
	return c.deliver(digesting, w, r.room(), c.digestSize(), func(op *operation) ([]byte, error) {
		return op.digest.Sum(nil), nil
	})
})

var signInit = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	m, key := r.mechanism(), c.object(r.ulong())
	if r.err != nil {
		return r.err
	}
	return c.begin(signing, m, func(op *operation) (err error) {
		op.sign, err = c.s.NewSign(ctx, m, key)
		return err
	})
})

// signatureSize is the length of the signature that is under way, or 0.
func (c *client) signatureSize() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.ops[signing].sign; s != nil {
		return s.Size()
	}
	return 0
}

var sign = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	data, room := r.bytes(), r.room()
	return c.deliver(signing, w, room, c.signatureSize(), func(op *operation) ([]byte, error) {
		if op.multi {
			return nil, ckr.OperationActive
		}
		if _, err := op.sign.Write(data); err != nil {
			return nil, err
		}
		return op.sign.Sum(ctx)
	})
})

var signUpdate = on(func(_ context.Context, c *client, r *reader, _ *writer) error {
	data := r.bytes()
	return c.with(signing, func(op *operation) error {
		op.multi = true
		_, err := op.sign.Write(data)
		return err
	})
})

var signFinal = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	return c.deliver(signing, w, r.room(), c.signatureSize(), func(op *operation) ([]byte, error) {
		return op.sign.Sum(ctx)
	})
})

var verifyInit = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	m, key := r.mechanism(), c.object(r.ulong())
	if r.err != nil {
		return r.err
	}
	return c.begin(verifying, m, func(op *operation) (err error) {
		op.verify, err = c.s.NewVerify(ctx, m, key)
		return err
	})
})

// finish ends a verification, whatever it says.
func (c *client) finish(f func(op *operation) error) error {
	err := c.with(verifying, f)
	if err == nil {
		c.mu.Lock()
		c.end(verifying)
		c.mu.Unlock()
	}
	return err
}

var verify = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	data, sig := r.bytes(), r.bytes()
	return c.finish(func(op *operation) error {
		if op.multi {
			return ckr.OperationActive
		}
		if _, err := op.verify.Write(data); err != nil {
			return err
		}
		return op.verify.Verify(ctx, sig)
	})
})

var verifyUpdate = on(func(_ context.Context, c *client, r *reader, _ *writer) error {
	data := r.bytes()
	return c.with(verifying, func(op *operation) error {
		op.multi = true
		_, err := op.verify.Write(data)
		return err
	})
})

var verifyFinal = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	sig := r.bytes()
	return c.finish(func(op *operation) error { return op.verify.Verify(ctx, sig) })
})
