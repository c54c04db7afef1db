package identity_test

import (
	"context"
	"crypto"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// rig is a world in which one thing happens after the other.
type rig struct {
	*testing.T
	*world
	ctx context.Context
	p   *process

	mu    sync.Mutex
	asked []token.PINRequest
}

// newRig makes cards, in as many readers, and a process that remembers PINs.
func newRig(t *testing.T, alike bool, readers int, kinds ...kind) *rig {
	t.Helper()
	return newRigOf(t, cast{kinds: kinds, alike: alike}, readers)
}

func newRigOf(t *testing.T, c cast, readers int) *rig {
	t.Helper()
	j := newJudge(t)
	j.world = t.Name()
	random := rand.New(rand.NewPCG(1, 1))
	w, err := newWorld(t.Context(), j, c, readers, random, false)
	if err != nil {
		t.Fatal(err)
	}
	w.calm.Store(true)
	r := &rig{T: t, world: w, ctx: t.Context()}
	r.p = r.process(cryptoki.WithPINCache(cryptoki.CacheUntilLogout()))
	return r
}

// process begins another process.
func (r *rig) process(opts ...cryptoki.Option) *process {
	r.Helper()
	p := newProcess(r.world, "process")
	opts = append(opts, cryptoki.WithPIN(func(ctx context.Context, q token.PINRequest) (token.PIN, error) {
		r.mu.Lock()
		r.asked = append(r.asked, q)
		r.mu.Unlock()
		return p.ask(ctx, q)
	}), cryptoki.WithProvider(p.wire()))
	var err error
	if p.module, err = cryptoki.Open(r.ctx, opts...); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { p.module.Close() })
	return p
}

// asks returns how often a PIN was asked for since it was called last.
func (r *rig) asks() (list []token.PINRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, r.asked = r.asked, nil
	return list
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// key returns the Key that a URI names.
func (r *rig) key(uri string) session.Key {
	r.Helper()
	k, err := r.p.module.Key(r.ctx, uri)
	if err != nil {
		r.Fatalf("%s: %v", uri, err)
	}
	return k
}

// admin runs f as a foreign program that may change a PIV card.
func (r *rig) admin(c *card, do ...func(f *foreign) error) {
	r.Helper()
	r.must(r.other.foreign(r.ctx, c, r.reader(c), aidPIV, func(f *foreign) error {
		if err := f.admin(); err != nil {
			return err
		}
		for _, f1 := range do {
			if err := f1(f); err != nil {
				return err
			}
		}
		return nil
	}))
}

// changePIN has a foreign program change a card's PIN.
func (r *rig) changePIN(c *card) {
	r.Helper()
	c.mu.Lock()
	old, new := c.pin, c.newPIN()
	c.mu.Unlock()
	aid := aidPIV
	if c.kind == myEID {
		aid = nil
	}
	r.must(r.other.foreign(r.ctx, c, r.reader(c), aid, func(f *foreign) error { return f.change(old, new) }))
}

// spend has a foreign program spend tries of a card until so many are left.
func (r *rig) spend(c *card, left int) {
	r.Helper()
	aid := aidPIV
	if c.kind == myEID {
		aid = nil
	}
	for r.tries(c) > left {
		c.mu.Lock()
		wrong := c.newPIN()
		c.wrong[wrong] = 0
		c.mu.Unlock()
		r.other.types(wrong)
		r.must(r.other.foreign(r.ctx, c, r.reader(c), aid, func(f *foreign) error { return f.verify(wrong) }))
	}
}

func (r *rig) tries(c *card) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// session opens a session with a card, and logs in if login.
func (r *rig) session(c *card, login bool, opts ...session.Option) *session.Session {
	r.Helper()
	slots, err := r.p.module.Slots(r.ctx, true)
	r.must(err)
	for _, s := range slots {
		if s.Info().Reader != r.reader(c) {
			continue
		}
		t, err := s.Token(r.ctx)
		r.must(err)
		x, err := session.Open(r.ctx, t, opts...)
		r.must(err)
		if login {
			c.mu.Lock()
			pin := c.pin
			c.mu.Unlock()
			r.p.types(pin)
			r.must(x.Login(r.ctx, token.User, token.NewPIN([]byte(pin))))
		}
		return x
	}
	r.Fatalf("no slot has %s", c.name)
	return nil
}

// one returns the only object of a class and an id.
func (r *rig) one(s *session.Session, class object.Class, id byte) *object.Object {
	r.Helper()
	o, err := one(r.ctx, s, class, id)
	r.must(err)
	return o
}

func one(ctx context.Context, s *session.Session, class object.Class, id byte) (found *object.Object, err error) {
	for o, err := range s.Find(ctx, object.AttrClass.Is(class), object.AttrID.Is([]byte{id})) {
		if err != nil {
			return nil, err
		}
		if found != nil {
			return nil, errors.New("several objects fit")
		}
		found = o
	}
	if found == nil {
		return nil, errors.New("no object fits")
	}
	return found, nil
}

// placeOf is what a slot holds.
func (c *card) placeOf(ref byte) place {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.places[ref]; p != nil {
		return *p
	}
	return place{}
}

// pubs are the public keys of a card.
func (c *card) pubs() (list []crypto.PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list = append(list, c.keys...)
	for _, p := range c.places {
		if p.pub != nil {
			list = append(list, p.pub)
		}
	}
	return list
}
