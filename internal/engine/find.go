package engine

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Find yields the objects that the session sees and that have all the given
// attributes (C_FindObjects, PKCS #11 v3.2 §5.7.6). Objects are found as they
// were when the iteration began; no lock or transaction is held while it
// yields. An attribute that is hidden never matches. Values that the card's
// directories do not show are read from the card, and only for objects that
// match in all else. An error ends the iteration.
func (s *Session) Find(ctx context.Context, match ...object.Attribute) iter.Seq2[*object.Object, error] {
	const op = "find objects"
	return func(yield func(*object.Object, error) bool) {
		if err := object.Template(match).Validate(); err != nil {
			yield(nil, codes.Wrap(op, err))
			return
		}
		found, err := s.visible(ctx, op, match)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, f := range found {
			ok := true
			if f.unconfirmed {
				if f, ok, err = s.confirm(ctx, op, f, match); err != nil {
					yield(nil, codes.Wrap(op, err))
					return
				}
			}
			if ok && len(f.unknown) > 0 {
				if ok, err = s.t.reads(ctx, f, match); err != nil {
					yield(nil, codes.Wrap(op, err))
					return
				}
			}
			if ok && s.t.lives(f.e) && !yield(f.e.obj, nil) {
				return
			}
		}
	}
}

// finding is an object that matches as far as is known.
type finding struct {
	e       *entry
	unknown []object.Type // what has to be read from the card

	unconfirmed bool // the card has to be asked whether it is there
}

// visible lists what of all that the session sees now matches: session objects
// first, then the card's directories in their order.
func (s *Session) visible(ctx context.Context, op string, match []object.Attribute) ([]finding, error) {
	if err := s.enter(op); err != nil {
		return nil, err
	}
	t, c := s.t, s.t.card
	if err := c.current(ctx, op, t.loggedIn() == token.User); err != nil {
		return nil, err
	}
	class, _ := object.In(match, object.AttrClass)
	features := t.features(class)
	c.mu.Lock()
	defer c.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.closed {
		return nil, ckr.New(ckr.SessionHandleInvalid, op, nil)
	}
	var found []finding
	l, in := t.index.candidates(match)
	for e := l.first; e != nil; e = e.links[in].next {
		if s.allow(e.kind(), driver.Find) == ckr.OK && e.shown.Matches(match) {
			found = append(found, finding{e: e})
		}
	}
	for _, ref := range c.dir.order {
		r := c.dir.records[ref]
		if s.allow(kindOf(true, r.Private), driver.Find) != ckr.OK {
			continue
		}
		if unknown, ok := r.matches(match); ok {
			found = append(found, finding{t.give(&r.Record), unknown, r.unconfirmed()})
		}
	}
	return append(found, t.featuresLike(class, features, match)...), nil
}

// matches compares what is known of an object on the card with a search.
// unknown is what has to be read for an answer. Of an object that nobody has
// looked for, what is remembered does not count. The caller holds the lock of
// the card.
func (r *record) matches(match []object.Attribute) (unknown []object.Type, ok bool) {
	if len(match) == 0 {
		return nil, true
	}
	all := r.all()
	certain := all
	if r.unconfirmed() {
		certain = r.Place
	}
	for _, want := range match {
		if !object.Searchable(all, want.Type) || want.Type == object.AttrUniqueID.Type && !r.mayBe(want.Bytes()) {
			return nil, false
		}
		have, ok := certain.Lookup(want.Type)
		if ok && !have.Equal(want) {
			return nil, false
		}
		if !ok {
			unknown = append(unknown, want.Type)
		}
	}
	return unknown, true
}

// reads compares what the directories do not tell with a search. What became
// void since is not found.
func (t *Token) reads(ctx context.Context, f finding, match object.Template) (bool, error) {
	values, err := t.Values(ctx, f.e.obj, f.unknown)
	if ckr.Of(err) == ckr.ObjectHandleInvalid {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, v := range values {
		if want, _ := match.Lookup(v.Type); v.Code != ckr.OK || !v.Equal(want) {
			return false, nil
		}
	}
	return true, nil
}

// lives reports whether an object is not void.
func (t *Token) lives(e *entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !e.dead
}

// current makes the listing that of the card now.
func (c *Card) current(ctx context.Context, op string, user bool) error {
	return c.withTransaction(ctx, op, func(ctx context.Context) error { return c.refresh(ctx, user) })
}
