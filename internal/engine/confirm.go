package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// confirm has the card asked whether an object is there that its Backend has
// listed without looking, and compares it, as it is then, with a search. An
// object that is not there, and one that the session does not see, does not
// match. One that cannot be looked at is shown with its error.
func (s *Session) confirm(ctx context.Context, op string, f finding, match []object.Attribute) (finding, bool, error) {
	c, t := s.t.card, s.t
	ref := f.e.ref
	err := c.withTransaction(ctx, op, func(ctx context.Context) (err error) {
		if err := c.refresh(ctx, false); err != nil {
			return err
		}
		ref, err = c.look(ctx, ref)
		return err
	})
	if err != nil {
		return f, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := c.dir.records[ref]
	if r == nil || s.allow(kindOf(true, r.Private), driver.Find) != ckr.OK {
		return f, false, nil
	}
	unknown, ok := r.matches(match)
	if !ok {
		return f, false, nil
	}
	return finding{e: t.give(&r.Record), unknown: unknown}, true, nil
}

// look asks the Backend, inside a transaction, unless somebody has asked meanwhile. It
// returns the Ref of the object that is there now.
func (c *Card) look(ctx context.Context, ref driver.Ref) (driver.Ref, error) {
	r := c.record(ref)
	confirmer, ok := c.backend.(driver.Confirmer)
	if r == nil || !r.unconfirmed() || !ok {
		return ref, nil
	}
	found, err := confirmer.Confirm(ctx, ref)
	switch code := ckr.Of(codes.Wrap("", err)); {
	case err == nil:
	case code == ckr.ObjectHandleInvalid:
		c.remove(ref)
		return ref, nil
	case code == ckr.DeviceRemoved, code == ckr.FunctionCanceled, !c.Alive():
		return ref, err
	default:
		// Where the card refused, it is asked again next time: what it says may
		// have to do with the moment.
		found = r.Record
		found.Known = found.Known.With(object.AttrUniqueID.Is(r.place))
		found.Err = codes.Wrap("", err)
		if !refusal(err) {
			found.Place = nil
		}
	}
	if found.Ref != ref {
		c.supersede(ref, found)
		return found.Ref, nil
	}
	c.put(found)
	c.mu.Lock()
	defer c.mu.Unlock()
	for other := range c.tokens {
		other.reclassify(ref, found.Private)
	}
	return ref, nil
}

// NeedsLogin reports whether a login of the user may show objects that have all
// the given attributes and that the session does not see now, so that nobody is
// asked for a PIN in vain. It tells no more of them. The card is asked, without
// a PIN, about places of which only it can tell whether they hold an object.
// Errors: ckr.SessionHandleInvalid, ckr.DeviceRemoved.
func (s *Session) NeedsLogin(ctx context.Context, match ...object.Attribute) (bool, error) {
	const op = "find objects"
	if err := object.Template(match).Validate(); err != nil {
		return false, codes.Wrap(op, err)
	}
	if err := s.enter(op); err != nil {
		return false, err
	}
	c := s.t.card
	if s.t.loggedIn() == token.User {
		return false, nil
	}
	if err := c.current(ctx, op, false); err != nil {
		return false, err
	}
	if hides(c.backend) {
		return true, nil
	}
	for _, ref := range c.unseen(match) {
		now := ref
		err := c.withTransaction(ctx, op, func(ctx context.Context) (err error) {
			now, err = c.look(ctx, ref)
			return err
		})
		if err != nil {
			return false, err
		}
		c.mu.Lock()
		r := c.dir.records[now]
		needs := false
		if r != nil && r.Private {
			_, needs = r.matches(match)
		}
		c.mu.Unlock()
		if needs {
			return true, nil
		}
	}
	return false, nil
}

// unseen lists the objects that match, as far as is known, and that are the
// user's or may be.
func (c *Card) unseen(match []object.Attribute) (refs []driver.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ref := range c.dir.order {
		r := c.dir.records[ref]
		if !r.Private && !r.unconfirmed() {
			continue
		}
		if _, ok := r.matches(match); ok {
			refs = append(refs, ref)
		}
	}
	return refs
}

// reclassify takes over whether an object is private, as it was found to be.
func (t *Token) reclassify(ref driver.Ref, private bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byRef[ref]; e != nil {
		e.private = private
	}
}
