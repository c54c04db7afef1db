package p11kit

import (
	"context"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

var createObject = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	t := r.template(0)
	defer t.Clear()
	if r.err != nil {
		return r.err
	}
	o, err := c.s.Create(ctx, t...)
	if err != nil {
		return err
	}
	w.ulong(c.give(o))
	return nil
})

var copyObject = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	o, t := c.object(r.ulong()), r.template(0)
	if r.err != nil {
		return r.err
	}
	made, err := c.s.Copy(ctx, o, t...)
	if err != nil {
		return err
	}
	w.ulong(c.give(made))
	return nil
})

var destroyObject = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	return c.s.Destroy(ctx, c.object(r.ulong()))
})

var getObjectSize = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	n, err := c.s.Size(ctx, c.object(r.ulong()))
	if err != nil {
		return err
	}
	w.ulong(n)
	return nil
})

var getAttributeValue = on(func(ctx context.Context, c *client, r *reader, w *writer) error {
	o, list := c.object(r.ulong()), r.buffers()
	if r.err != nil {
		return r.err
	}
	var types []object.Type
	for _, a := range list {
		types = append(types, a.typ)
	}
	if len(types) == 0 { // nothing is asked for; the handle still has to be good
		_, err := c.s.Attributes(ctx, o, object.AttrClass.Type)
		w.values(nil, nil)
		return err
	}
	values, err := c.s.Attributes(ctx, o, types...)
	if err != nil {
		return err
	}
	w.values(list, values)
	return nil
})

var setAttributeValue = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	o, t := c.object(r.ulong()), r.template(0)
	if r.err != nil {
		return r.err
	}
	return c.s.Set(ctx, o, t...)
})

var findObjectsInit = on(func(ctx context.Context, c *client, r *reader, _ *writer) error {
	t := r.template(0)
	if r.err != nil {
		return r.err
	}
	c.mu.Lock()
	active := c.search
	c.mu.Unlock()
	if active {
		return ckr.OperationActive
	}
	var found []uint64
	for o, err := range c.s.Find(ctx, t...) {
		if err != nil {
			return err
		}
		found = append(found, c.give(o))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.search {
		return ckr.OperationActive
	}
	c.found, c.search = found, true
	return nil
})

var findObjects = on(func(_ context.Context, c *client, r *reader, w *writer) error {
	room := r.room()
	if _, err := c.s.Info(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.search {
		return ckr.OperationNotInitialized
	}
	n := min(room.size, len(c.found))
	w.ulongs(slices.Clone(c.found[:n]))
	c.found = c.found[n:]
	return nil
})

var findObjectsFinal = on(func(_ context.Context, c *client, _ *reader, _ *writer) error {
	if _, err := c.s.Info(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.search {
		return ckr.OperationNotInitialized
	}
	c.found, c.search = nil, false
	return nil
})
