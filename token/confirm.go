package token

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// confirm has the card asked whether an object is there that its Backend has
// listed without looking, and compares it, as it is then, with a search. An
// object that is not there, and one that the session does not see, does not
// match. One that cannot be looked at is shown with its error.
func (s *Seat) confirm(ctx context.Context, op string, f finding, match []object.Attribute) (finding, bool, error) {
	c, t := s.t.card, s.t
	err := c.unit(ctx, op, func(ctx context.Context) error {
		if err := c.refresh(ctx, false); err != nil {
			return err
		}
		return c.look(ctx, t, f.e)
	})
	if err != nil {
		return f, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := c.dir.records[f.e.ref]
	if f.e.dead || r == nil || s.allow(kindOf(true, r.Private), Find) != ckr.OK {
		return f, false, nil
	}
	unknown, ok := r.matches(match)
	return finding{e: f.e, unknown: unknown}, ok, nil
}

// look asks the Backend, inside a unit, unless somebody has asked meanwhile.
func (c *Card) look(ctx context.Context, t *Token, e *entry) error {
	r := c.record(e.ref)
	confirmer, ok := c.backend.(Confirmer)
	if r == nil || !r.Unsure || !ok {
		return nil
	}
	if r.Private && t.loggedIn() != User {
		return nil
	}
	if r.Private {
		if err := c.ensure(ctx, User); err != nil {
			return err
		}
	}
	found, err := confirmer.Confirm(ctx, e.ref)
	switch code := ckr.Of(Wrap("", err)); {
	case err == nil:
	case code == ckr.ObjectHandleInvalid:
		c.remove(e.ref)
		return nil
	case code == ckr.DeviceRemoved, code == ckr.FunctionCanceled, !c.Alive():
		return err
	default:
		// Where the card refused, it is asked again next time: what it says may
		// have to do with the moment.
		found = r.Record
		found.Err, found.Unsure = Wrap("", err), refusal(err)
	}
	c.put(found)
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.tokens {
		other.reclassify(e.ref, found.Private)
	}
	return nil
}

// reclassify takes over whether an object is private, as it was found to be.
func (t *Token) reclassify(ref Ref, private bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byRef[ref]; e != nil {
		e.private = private
	}
}
