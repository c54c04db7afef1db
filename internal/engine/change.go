package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// uniqueID names a session object (CKA_UNIQUE_ID).
func uniqueID(handle uint64) string { return fmt.Sprintf("session-%d", handle) }

// Set changes attributes (C_SetAttributeValue, PKCS #11 v3.2 §5.7.5): all of
// them, or none. Errors: those of the access table and of object.CheckSet,
// ckr.AttributeReadOnly and ckr.TemplateInconsistent for what the card cannot
// change, ckr.DeviceMemory.
func (s *Session) Set(ctx context.Context, o *object.Object, changes ...object.Attribute) error {
	const op = "set attributes"
	e, err := s.object(op, o, driver.Find)
	if err != nil {
		return err
	}
	all, err := s.t.whole(ctx, op, e)
	if err != nil {
		return err
	}
	if err := object.CheckSet(all, changes, s.isSO()); err != nil {
		return codes.Wrap(op, err)
	}
	if _, err := s.object(op, o, driver.Modify); err != nil {
		return err
	}
	if !e.onToken() {
		return s.setSession(op, e, changes)
	}
	if e.feature != nil {
		return ckr.Newf(ckr.AttributeReadOnly, op, "the token has it of itself")
	}
	c := s.t.card
	up, ok := c.backend.(driver.Updater)
	if !ok {
		return ckr.Newf(ckr.AttributeReadOnly, op, "objects of this card are changed by its issuer")
	}
	auth, err := s.writeAuth(ctx, op, driver.Modify, e.ref)
	if err != nil {
		return err
	}
	defer auth.Write.Clear()
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := s.mayChange(ctx, o, driver.Modify); err != nil {
			return err
		}
		r, err := up.Update(ctx, e.ref, changes, auth)
		if err != nil {
			c.doubt(err)
			return err
		}
		moved := r.Ref != e.ref
		s.t.renamed(e, r)
		if _, ok := c.backend.(driver.Confirmer); ok && moved {
			c.reload() // what belonged to the object is elsewhere now
		}
		return nil
	})
}

// renamed takes over the record of a changed object, whose Ref may be new;
// handles stay good in all applications.
func (t *Token) renamed(e *entry, r driver.Record) {
	c := t.card
	old := e.ref
	if old != r.Ref {
		c.mu.Lock()
		for other := range c.tokens {
			other.rename(old, r.Ref)
		}
		delete(c.dir.records, old)
		// A listed place that nobody has looked at may have had the new name.
		c.dir.order = slices.DeleteFunc(c.dir.order, func(ref driver.Ref) bool { return ref == r.Ref })
		for i, ref := range c.dir.order {
			if ref == old {
				c.dir.order[i] = r.Ref
				c.dir.records[r.Ref] = newRecord(r)
			}
		}
		c.mu.Unlock()
	}
	c.put(r)
}

func (t *Token) rename(old, ref driver.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byRef[old]; e != nil {
		var none pending
		if before := t.byRef[ref]; before != nil {
			t.remove(before, &none)
		}
		delete(t.byRef, old)
		e.ref = ref
		t.byRef[ref] = e
	}
}

func (s *Session) setSession(op string, e *entry, changes []object.Attribute) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if e.dead {
		return ckr.New(ckr.ObjectHandleInvalid, op, nil)
	}
	// The rules are applied to the object as it is now.
	if err := object.CheckSet(e.all, changes, s.t.login == token.SO); err != nil {
		return codes.Wrap(op, err)
	}
	s.t.index.unname(e)
	defer s.t.index.name(e)
	e.own(e.all.With(object.Template(changes).Clone()...))
	return nil
}

// object checks a handle and asks the access table for verb v.
func (s *Session) object(op string, o *object.Object, v driver.Verb) (*entry, error) {
	if err := s.enter(op); err != nil {
		return nil, err
	}
	missing := ckr.ObjectHandleInvalid
	if v == driver.Use {
		missing = ckr.KeyHandleInvalid
	}
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	e, err := s.t.find(o, missing)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	if code := s.allow(e.kind(), v); code != ckr.OK {
		return nil, ckr.Newf(code, op, "%s", e.kind())
	}
	return e, nil
}

// mayChange checks an object again inside the transaction.
func (s *Session) mayChange(ctx context.Context, o *object.Object, v driver.Verb) error {
	c := s.t.card
	if err := c.refresh(ctx, false); err != nil {
		return err
	}
	e, err := s.object("", o, v)
	if err != nil {
		return err
	}
	return c.authenticate(ctx, s, e.kind())
}

// whole returns all attributes of an object that can be read.
func (t *Token) whole(ctx context.Context, op string, e *entry) (object.Template, error) {
	all, ok := t.known(e)
	if !ok {
		return nil, ckr.New(ckr.ObjectHandleInvalid, op, nil)
	}
	if e.onToken() && t.lacks(e, all, nil) {
		return t.read(ctx, op, e, nil)
	}
	return all, nil
}

// everything returns a copy of all attributes of an object, for the caller to
// clear: of a session object those that are secret, too.
func (t *Token) everything(ctx context.Context, op string, e *entry) (object.Template, error) {
	if e.onToken() {
		all, err := t.whole(ctx, op, e)
		return all.Clone(), err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.dead {
		return nil, ckr.New(ckr.ObjectHandleInvalid, op, nil)
	}
	return e.all.Clone(), nil
}

// Copy makes a copy of an object, with changes (C_CopyObject, PKCS #11 v3.2
// §5.7.2). Keys on the card have values that cannot be copied:
// ckr.ActionProhibited. Errors: those of the access table for the new object
// and of object.Copy; ckr.ObjectHandleInvalid for a void source.
func (s *Session) Copy(ctx context.Context, o *object.Object, changes ...object.Attribute) (*object.Object, error) {
	const op = "copy object"
	e, err := s.object(op, o, driver.Read)
	if err != nil {
		return nil, err
	}
	if e.feature != nil {
		return nil, ckr.Newf(ckr.ActionProhibited, op, "the token has it of itself")
	}
	all, err := s.t.everything(ctx, op, e)
	if err != nil {
		return nil, err
	}
	defer all.Clear()
	if e.onToken() && secretClass(e.obj.Class()) {
		return nil, ckr.Newf(ckr.ActionProhibited, op, "the key does not leave the card")
	}
	if err := s.mayMake(op, kindOfTemplate(all.With(changes...))); err != nil {
		return nil, err
	}
	copied, err := object.Copy(all, object.Template(changes).Clone(), s.isSO())
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	defer copied.Clear()
	return s.make(ctx, op, copied)
}

func secretClass(c object.Class) bool {
	return c == object.ClassPrivateKey || c == object.ClassSecretKey
}

// Destroy destroys an object (C_DestroyObject, PKCS #11 v3.2 §5.7.3). The
// handle stays good until the card has confirmed. Errors: those of the access
// table, ckr.ActionProhibited if CKA_DESTROYABLE is false.
func (s *Session) Destroy(ctx context.Context, o *object.Object) error {
	const op = "destroy object"
	e, err := s.object(op, o, driver.Find)
	if err != nil {
		return err
	}
	all, ok := s.t.known(e)
	if !ok {
		return ckr.New(ckr.ObjectHandleInvalid, op, nil)
	}
	if keep, given := object.In(all, object.AttrDestroyable); given && !keep {
		return ckr.New(ckr.ActionProhibited, op, nil)
	}
	if _, err := s.object(op, o, driver.Destroy); err != nil {
		return err
	}
	if !e.onToken() {
		s.t.mu.Lock()
		var dead pending
		s.t.remove(e, &dead)
		s.t.mu.Unlock()
		dead.clear()
		return nil
	}
	if e.feature != nil {
		return ckr.Newf(ckr.ActionProhibited, op, "the token has it of itself")
	}
	c := s.t.card
	d, ok := c.backend.(driver.Destroyer)
	if !ok {
		return ckr.Newf(ckr.ActionProhibited, op, "objects of this card are removed by its issuer")
	}
	auth, err := s.writeAuth(ctx, op, driver.Destroy, e.ref)
	if err != nil {
		return err
	}
	defer auth.Write.Clear()
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := s.mayChange(ctx, o, driver.Destroy); err != nil {
			return err
		}
		if err := d.Destroy(ctx, e.ref, auth); err != nil {
			c.doubt(err)
			return err
		}
		c.remove(e.ref)
		if _, ok := c.backend.(driver.Confirmer); ok {
			c.reload() // what belonged to the object may be gone with it
		}
		return nil
	})
}

// Size is the number of bytes that the object's readable attributes take in
// canonical form (C_GetObjectSize). Hidden values do not count.
func (s *Session) Size(ctx context.Context, o *object.Object) (uint64, error) {
	const op = "object size"
	if _, err := s.object(op, o, driver.Read); err != nil {
		return 0, err
	}
	all, err := s.t.Values(ctx, o, nil)
	if err != nil {
		return 0, codes.Wrap(op, err)
	}
	var n uint64
	for _, v := range all {
		n += uint64(len(v.Bytes()))
	}
	return n, nil
}
