package engine

import (
	"context"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// known returns what is known of an object without an exchange; of a session
// object, what may be read.
func (t *Token) known(e *entry) (object.Template, bool) {
	t.card.mu.Lock()
	defer t.card.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.dead {
		return nil, false
	}
	switch {
	case !e.onToken():
		return e.shown.Clone(), true
	case e.feature != nil:
		return e.feature.template(), true
	}
	r := t.card.dir.records[e.ref]
	if r == nil {
		return nil, false
	}
	return r.all(), true
}

// Known returns what is known of an object without reaching the card; it is
// not changed. Errors: ckr.SessionHandleInvalid, ckr.ObjectHandleInvalid.
func (s *Session) Known(o *object.Object) (object.Template, error) {
	e, err := s.object("read attributes", o, driver.Read)
	if err != nil {
		return nil, err
	}
	all, ok := s.t.known(e)
	if !ok {
		return nil, ckr.New(ckr.ObjectHandleInvalid, "read attributes", nil)
	}
	return all, nil
}

// Values implements object.Source (C_GetAttributeValue, PKCS #11 v3.2
// §5.7.5): each attribute comes with a code of its own, ckr.AttributeSensitive
// or ckr.AttributeTypeInvalid for one that cannot be had. Without types it
// returns all that can be read. Values that are not cached are read from the
// card. Errors: ckr.ObjectHandleInvalid for an object that is void.
func (t *Token) Values(ctx context.Context, o *object.Object, types []object.Type) ([]object.Value, error) {
	const op = "read attributes"
	e, found, err := t.ofSession(o, types)
	if err != nil {
		return nil, codes.Wrap(op, t.orGone(err))
	}
	if found != nil {
		return found, nil
	}
	all, ok := t.known(e)
	if !ok {
		return nil, ckr.New(ckr.ObjectHandleInvalid, op, nil)
	}
	if e.onToken() && t.lacks(e, all, types) {
		if all, err = t.read(ctx, op, e, types); err != nil {
			return nil, err
		}
	}
	return values(all, types), nil
}

// ofSession finds an object and, if it is one of a session, reads its
// attributes.
func (t *Token) ofSession(o *object.Object, types []object.Type) (*entry, []object.Value, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, err := t.find(o, ckr.ObjectHandleInvalid)
	if err != nil || e.onToken() {
		return e, nil, err
	}
	return e, values(e.shown, types), nil
}

// Attributes reads attributes through a session; see Token.Values. Errors:
// ckr.SessionHandleInvalid, ckr.ObjectHandleInvalid.
func (s *Session) Attributes(ctx context.Context, o *object.Object, types ...object.Type) ([]object.Value, error) {
	if _, err := s.object("read attributes", o, driver.Read); err != nil {
		return nil, err
	}
	return s.t.Values(ctx, o, types)
}

// orGone turns a void handle into word of the card's removal if that is why.
func (t *Token) orGone(err error) error {
	if !t.card.Alive() {
		t.card.Gone()
	}
	return err
}

// lacks reports whether the card has to be asked for some of the types.
func (t *Token) lacks(e *entry, all object.Template, types []object.Type) bool {
	t.card.mu.Lock()
	r := t.card.dir.records[e.ref]
	complete := r != nil && r.complete
	t.card.mu.Unlock()
	if complete || e.feature != nil {
		return false
	}
	if len(types) == 0 {
		return true
	}
	for _, a := range types {
		if !all.Has(a) && !object.Hidden(all, a) {
			return true
		}
	}
	return false
}

// read asks the card for attributes and returns all that is known then. What
// is public is kept; what is private is read again each time.
func (t *Token) read(ctx context.Context, op string, e *entry, types []object.Type) (object.Template, error) {
	c := t.card
	var all object.Template
	err := c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := c.refresh(ctx, false); err != nil {
			return err
		}
		r, err := t.readable(e)
		if err != nil {
			return err
		}
		if e.private {
			if err := c.restoreLogin(ctx, token.User); err != nil {
				return err
			}
		}
		if slices.Contains(types, object.AttrUniqueID.Type) {
			types = nil // all that may tell it
		}
		got, err := c.backend.Read(ctx, e.ref, types...)
		if code := ckr.Of(codes.Wrap("", err)); code == ckr.ObjectHandleInvalid {
			c.replaced(e.ref)
		}
		if err != nil {
			return err
		}
		var same bool
		if all, same = c.learn(r, e, got, len(types) == 0); !same {
			c.replaced(e.ref)
			return ckr.Newf(ckr.ObjectHandleInvalid, "", "another object has taken the place of this one")
		}
		return nil
	})
	return all, err
}

// learn takes over what was read of an object, of which whole tells that it is
// all there is, and returns all that is known then. It reports whether the
// object is the one that its handles stand for.
func (c *Card) learn(r *record, e *entry, got object.Template, whole bool) (all object.Template, same bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.place != "" {
		got = got.Without(object.AttrUniqueID.Type)
	}
	if !r.identify(r.all().With(got...)) {
		return nil, false
	}
	if r.place != "" && whole && r.proved == nil { // nothing tells more than the place
		r.Known = r.Known.With(object.AttrUniqueID.Is(r.place))
	}
	all = r.all().With(got...)
	if !e.private {
		r.read = r.read.With(got...)
		r.complete = r.complete || whole
	}
	return all, true
}

// readable checks again, inside the transaction, that the object is still
// there for the application.
func (t *Token) readable(e *entry) (*record, error) {
	t.card.mu.Lock()
	defer t.card.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.card.dir.records[e.ref]
	if e.dead || r == nil {
		return nil, ckr.New(ckr.ObjectHandleInvalid, "", nil)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return r, nil
}

// values picks attributes out of all that is known.
func values(all object.Template, types []object.Type) []object.Value {
	out := make([]object.Value, 0, len(types))
	if len(types) == 0 {
		for _, a := range all {
			if !object.Hidden(all, a.Type) {
				out = append(out, object.Value{Attribute: a.Clone()})
			}
		}
		return out
	}
	for _, want := range types {
		v := object.Value{Attribute: object.Attribute{Type: want}}
		a, ok := all.Lookup(want)
		switch {
		case object.Hidden(all, want):
			v.Code = ckr.AttributeSensitive
		case !ok:
			v.Code = ckr.AttributeTypeInvalid
		default:
			v.Attribute = a.Clone()
		}
		out = append(out, v)
	}
	return out
}

// Create makes an object from a template (C_CreateObject, PKCS #11 v3.2
// §5.7.1). A token object is written to the card. Errors: those of the access
// table and of object.Complete, ckr.DeviceMemory if the card is full, and
// ckr.TemplateInconsistent for what the card cannot hold. The caller keeps the
// template and clears what is secret in it.
func (s *Session) Create(ctx context.Context, template ...object.Attribute) (*object.Object, error) {
	const op = "create object"
	if err := s.enter(op); err != nil {
		return nil, err
	}
	given := object.Template(template).Clone()
	defer given.Clear()
	all, err := object.Complete(object.Created, given, s.isSO())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	defer all.Clear()
	return s.make(ctx, op, all)
}

func (s *Session) isSO() bool {
	state, _ := s.State()
	return state == token.RWSO
}

// make makes an object from a complete template, which the caller clears.
func (s *Session) make(ctx context.Context, op string, all object.Template) (*object.Object, error) {
	k := kindOfTemplate(all)
	if err := s.mayMake(op, k); err != nil {
		return nil, err
	}
	if !k.Token() {
		return s.add(op, all.Clone())
	}
	c := s.t.card
	store, ok := c.backend.(driver.Storer)
	if !ok {
		return nil, ckr.Newf(ckr.FunctionNotSupported, op, "objects of this card are made by its issuer")
	}
	auth, err := s.writeAuth(ctx, op, driver.Create, "")
	if err != nil {
		return nil, err
	}
	defer auth.Write.Clear()
	var o *object.Object
	err = c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := s.mayWrite(ctx, k); err != nil {
			return err
		}
		r, err := store.Store(ctx, all, auth)
		if err != nil {
			c.doubt(err)
			return err
		}
		o, err = s.adopt(r)
		return err
	})
	return o, err
}

func kindOfTemplate(all object.Template) Kind {
	return kindOf(object.Is(all, object.AttrToken), object.Is(all, object.AttrPrivate))
}

// mayMake asks the access table before anything is sent or computed.
func (s *Session) mayMake(op string, k Kind) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if code := s.allow(k, driver.Create); code != ckr.OK {
		return ckr.Newf(code, op, "%s", k)
	}
	return nil
}

// mayWrite asks again inside the transaction, makes the listing current, and
// restores the verification that a private object needs.
func (s *Session) mayWrite(ctx context.Context, k Kind) error {
	if err := s.mayMake("", k); err != nil {
		return err
	}
	c := s.t.card
	if err := c.refresh(ctx, false); err != nil {
		return err
	}
	return c.authenticate(ctx, s, k)
}

// authenticate restores the verification that the session's login stands for.
func (c *Card) authenticate(ctx context.Context, s *Session, k Kind) error {
	switch role := s.t.loggedIn(); {
	case k.Private():
		return c.restoreLogin(ctx, token.User)
	case role != nobody:
		return c.restoreLogin(ctx, role)
	}
	return nil
}

// doubt notes that a write may have been executed, unless the card said no.
func (c *Card) doubt(err error) {
	switch ckr.Of(codes.Wrap("", err)) {
	case ckr.DeviceError, ckr.DeviceRemoved, ckr.FunctionCanceled, ckr.GeneralError:
		c.reload()
	}
}

// adopt takes a record over that the card has just confirmed, and gives the
// application a handle.
func (s *Session) adopt(r driver.Record) (*object.Object, error) {
	s.t.card.put(r)
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.closed {
		return nil, ckr.New(ckr.SessionHandleInvalid, "", nil)
	}
	return s.t.give(&r).obj, nil
}

// add makes a session object; the entry owns all from now on.
func (s *Session) add(op string, all object.Template) (*object.Object, error) {
	class, _ := object.In(all, object.AttrClass)
	var key *soft.Material
	t := s.t
	if isKey(class) {
		err := t.sound(all)
		if err == nil {
			key, err = soft.NewMaterial(all)
		}
		if err != nil {
			all.Clear()
			return nil, codes.Wrap(op, err)
		}
	}
	if more := soft.Computed(key); len(more) > 0 {
		all = all.Default(more...)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := kindOfTemplate(all)
	if code := s.allow(k, driver.Create); code != ckr.OK {
		if key != nil {
			soft.Clear(key)
		}
		all.Clear()
		return nil, ckr.Newf(code, op, "%s", k)
	}
	e := &entry{owner: s, private: k.Private(), key: key}
	if key != nil {
		e.can = soft.Mechanisms(all, t.legacy)
	}
	h := t.next()
	if all.Has(object.AttrUniqueID.Type) {
		all = all.Without(object.AttrUniqueID.Type)
	}
	e.own(append(all, object.AttrUniqueID.Is(uniqueID(h))))
	e.obj = object.New(t, h, class)
	t.entries[h] = e
	t.index.add(e)
	return e.obj, nil
}

// own makes all the attributes of a session object. The caller holds t.mu.
func (e *entry) own(all object.Template) {
	e.all, e.shown = all, all
	if !slices.ContainsFunc(all, func(a object.Attribute) bool { return object.Hidden(all, a.Type) }) {
		return
	}
	e.shown = nil
	for _, a := range all {
		if !object.Hidden(all, a.Type) {
			e.shown = append(e.shown, a)
		}
	}
}

// sound refuses keys that software uses only for who asked for what is old.
func (t *Token) sound(all object.Template) error {
	if !t.legacy && soft.Weak(all) {
		return ckr.Newf(ckr.KeySizeRange, "", "such keys are weak; a Module takes them that was opened so")
	}
	return nil
}

func isKey(c object.Class) bool {
	return c == object.ClassPublicKey || c == object.ClassPrivateKey || c == object.ClassSecretKey
}
