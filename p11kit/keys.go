package p11kit

import "context"

var generateKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, t := r.mechanism(c.app.version), r.template(0)
	if r.err != nil {
		return r.err
	}
	o, err := c.s.GenerateKey(ctx, m, t...)
	if err != nil {
		return err
	}
	w.ulong(c.give(o))
	return nil
})

var generateKeyPair = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, pub, priv := r.mechanism(c.app.version), r.template(0), r.template(0)
	if r.err != nil {
		return r.err
	}
	pubKey, privKey, err := c.s.GenerateKeyPair(ctx, m, pub, priv)
	if err != nil {
		return err
	}
	w.ulong(c.give(pubKey))
	w.ulong(c.give(privKey))
	return nil
})

var wrapKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, wrapping, key, room := r.mechanism(c.app.version), c.object(r.ulong()), c.object(r.ulong()), r.room()
	if r.err != nil {
		return r.err
	}
	wrapped, err := c.s.Wrap(ctx, m, wrapping, key)
	if err != nil {
		return err
	}
	if room.query || room.size < len(wrapped) {
		w.length(len(wrapped))
		return nil
	}
	w.bytes(wrapped)
	return nil
})

var unwrapKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, unwrapping, wrapped, t := r.mechanism(c.app.version), c.object(r.ulong()), r.bytes(), r.template(0)
	if r.err != nil {
		return r.err
	}
	o, err := c.s.Unwrap(ctx, m, unwrapping, wrapped, t...)
	if err != nil {
		return err
	}
	w.ulong(c.give(o))
	return nil
})

var deriveKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, base, t := r.mechanism(c.app.version), c.object(r.ulong()), r.template(0)
	if r.err != nil {
		return r.err
	}
	o, err := c.s.Derive(ctx, m, base, t...)
	if err != nil {
		return err
	}
	w.ulong(c.give(o))
	return nil
})
