package p11kit

import (
	"bytes"
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

var generateKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, t := r.mechanism(), r.template(0)
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
	m, pub, priv := r.mechanism(), r.template(0), r.template(0)
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

// wrapping is a wrapped key that a client has asked the length of, or had too
// little room for: it waits for the client to ask once more.
type wrapping struct {
	request []byte // mechanism and keys
	state   token.State
	result  []byte
}

func (k *wrapping) drop() {
	clear(k.result)
	*k = wrapping{}
}

var wrapKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	request := r.b
	m, by, key := r.mechanism(), c.object(r.ulong()), c.object(r.ulong())
	request = request[:len(request)-len(r.b)]
	room := r.room()
	if r.err != nil {
		return r.err
	}
	info, err := c.s.Info()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	wrapped := c.wrap.result
	if wrapped == nil || c.wrap.state != info.State || !bytes.Equal(c.wrap.request, request) {
		c.wrap.drop()
		if wrapped, err = c.s.Wrap(ctx, m, by, key); err != nil {
			return err
		}
	}
	if room.query || room.size < len(wrapped) {
		c.wrap = wrapping{bytes.Clone(request), info.State, wrapped}
		w.length(len(wrapped))
		return nil
	}
	w.bytes(wrapped)
	c.wrap = wrapping{}
	return nil
})

var unwrapKey = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	m, unwrapping, wrapped, t := r.mechanism(), c.object(r.ulong()), r.bytes(), r.template(0)
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
	o, err := c.derive(ctx, r)
	if err != nil {
		return err
	}
	w.ulong(c.give(o))
	return nil
})

// deriveKey2 answers as deriveKey, and with what the derivation has made of the
// mechanism's parameter (P): whether there is one, as the client sent it. No
// mechanism here changes it.
var deriveKey2 = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	o, err := c.derive(ctx, r)
	if err != nil {
		return err
	}
	w.ulong(uint64(ckr.OK))
	w.b = append(w.b, r.flag...)
	w.ulong(c.give(o))
	return nil
})

func (c *client) derive(ctx context.Context, r *reader) (*object.Object, error) {
	m, base, t := r.mechanism(), c.object(r.ulong()), r.template(0)
	if r.err != nil {
		return nil, r.err
	}
	return c.s.Derive(ctx, m, base, t...)
}
