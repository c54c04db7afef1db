package pkcs15

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Update changes attributes of an object: those that its entry has are written
// into the entry, where all else stays; the others into the side file. A new
// value gets a new file, and the old one is removed when the entry points to
// the new.
func (b *backend) Update(ctx context.Context, ref driver.Ref, changes []object.Attribute, _ driver.Auth) (driver.Record, error) {
	if err := b.ready(); err != nil {
		return driver.Record{}, err
	}
	old, err := b.entry(ref)
	if err != nil {
		return driver.Record{}, err
	}
	a := b.app
	e := *old
	all := a.known(old).With(changes...)
	if err := e.apply(all, changes); err != nil {
		return driver.Record{}, err
	}
	var undo rollback
	d := &draft{t: all, entry: &e}
	if v, ok := object.In(object.Template(changes), object.AttrValue); ok {
		if err := b.replaceValue(ctx, d, old, v, &undo); err != nil {
			return driver.Record{}, undo.run(ctx, err)
		}
	}
	e.edit(old)
	if err := b.rewriteEntry(ctx, d, old, &undo); err != nil {
		return driver.Record{}, undo.run(ctx, err)
	}
	if !samePath(e.path, old.path) {
		a.deleteFile(ctx, old.path.file)
	}
	a.mu.Lock()
	delete(a.objects, ref)
	a.mu.Unlock()
	return b.finish(ctx, &e)
}

// rewriteEntry writes the side record and the entry of a changed object.
func (b *backend) rewriteEntry(ctx context.Context, d *draft, old *entry, undo *rollback) error {
	a, e := b.app, d.entry
	list := e.dir.with(old, e)
	if err := e.dir.fits(list); err != nil {
		return err
	}
	before := old.side
	was := e.dir.entries
	e.dir.entries = list
	err := a.keep(ctx, e, a.sideAttrs(d))
	e.dir.entries = was
	if err != nil {
		return err
	}
	undo.add(func(ctx context.Context) error { return a.keep(ctx, old, before) })
	return a.writeDir(ctx, e.dir, list)
}

// apply takes the changed attributes that an entry holds into it.
func (e *entry) apply(all object.Template, changes object.Template) error {
	class := dirClass[e.dir.kind]
	if v, ok := object.In(changes, object.AttrLabel); ok {
		e.label = v
	}
	if v, ok := object.In(changes, object.AttrModifiable); ok {
		e.flags = e.flags &^ (1 << flagModifiable)
		if v {
			e.flags |= 1 << flagModifiable
		}
	}
	if v, ok := object.In(changes, object.AttrID); ok {
		if len(v) == 0 {
			return ckr.Newf(ckr.AttributeValueInvalid, "", "on this card %v has at least one byte", object.AttrID.Type)
		}
		e.id = v
	}
	switch class {
	case object.ClassData:
		if v, ok := object.In(changes, object.AttrApplication); ok {
			e.app = v
		}
		if v, ok := object.In(changes, object.AttrObjectID); ok {
			e.oid = v
		}
	case object.ClassCertificate:
		if v, ok := object.In(changes, object.AttrTrusted); ok && e.dir.kind == dirCerts {
			e.ca = v
		}
	default:
		e.usage = usageOf(all) | e.usage&^knownUsage
		e.access = accessOf(all) | e.access&^knownAccess
	}
	return nil
}

// The bits that stand for attributes.
const (
	knownUsage  = 1<<9 - 1
	knownAccess = 1<<5 - 1
)

func usageOf(t object.Template) (b bits) {
	for i, a := range usageAttrs {
		if object.Is(t, a) {
			b |= 1 << i
		}
	}
	return b
}

func accessOf(t object.Template) (b bits) {
	for i, a := range accessAttrs {
		if object.Is(t, a) {
			b |= 1 << i
		}
	}
	return b
}

// replaceValue gives a data object a new file with a new value.
func (b *backend) replaceValue(ctx context.Context, d *draft, old *entry, v []byte, undo *rollback) error {
	if dirClass[old.dir.kind] != object.ClassData || old.path.window && old.path.length > 0 {
		return ckr.Newf(ckr.AttributeReadOnly, "", "the card cannot change this value")
	}
	d.base = fileData
	if old.private() {
		d.base = fileDataPrivate
	}
	d.read = object.Template{object.AttrValue.Is(v)}
	d.entry.path = path{}
	if err := b.content(d, v); err != nil {
		return err
	}
	if err := b.app.makeFile(ctx, d, undo); err != nil {
		return err
	}
	return d.fill(ctx)
}
