package pkcs15

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// High bytes of the FIDs of object files; the low byte counts from 1.
const (
	filePrivateKey  = 0x4B
	filePublicKey   = 0x55
	fileCert        = 0x43
	fileSecretKey   = 0x4D
	fileData        = 0x46
	fileDataPrivate = 0x45
)

// draft is an object on its way to the card.
type draft struct {
	t     object.Template // complete
	entry *entry
	tag   tlv.Tag // choice of the entry
	base  byte    // of the FID
	file  newFile // fid is given when it is made
	fill  func(ctx context.Context) error
	read  object.Template // what Read will find beside the entry
}

// Store writes an object: its file first, then what PKCS #15 cannot hold, and
// the directory last. What was done is taken back if a later step fails.
func (b *backend) Store(ctx context.Context, t object.Template, _ driver.Auth) (driver.Record, error) {
	if err := b.ready(); err != nil {
		return driver.Record{}, err
	}
	d, err := b.draft(t)
	if err != nil {
		return driver.Record{}, err
	}
	var undo rollback
	if err := b.put(ctx, d, &undo); err != nil {
		return driver.Record{}, undo.run(ctx, err)
	}
	return b.finish(ctx, d.entry)
}

// ready refuses to write where the token is read-only or not initialised.
func (b *backend) ready() error {
	if !b.app.initialised() {
		return ckr.New(ckr.TokenNotInitialized, "", nil)
	}
	return b.app.writable()
}

// finish notes a new or changed object and returns its record.
func (b *backend) finish(ctx context.Context, e *entry) (driver.Record, error) {
	a := b.app
	if err := b.synced(ctx); err != nil {
		return driver.Record{}, err
	}
	a.linkSides()
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.record(e)
	a.objects[r.Ref] = e
	return r, nil
}

// rollback is the steps that take back what was done, last first.
type rollback []func(ctx context.Context) error

func (r *rollback) add(f func(ctx context.Context) error) { *r = append(*r, f) }

// run takes everything back and returns err. If the card cannot be asked any
// more, what is left has no directory entry, and so is no object.
func (r *rollback) run(ctx context.Context, err error) error {
	ctx, done := driver.CleanupContext(ctx)
	defer done()
	for i := len(*r) - 1; i >= 0; i-- {
		if undone := (*r)[i](ctx); undone != nil && !refused(undone) {
			break
		}
	}
	return err
}

// draft prepares an object by its class.
func (b *backend) draft(t object.Template) (*draft, error) {
	class, _ := object.In(t, object.AttrClass)
	switch class {
	case object.ClassData:
		return b.draftData(t)
	case object.ClassCertificate:
		return b.draftCertificate(t)
	case object.ClassPublicKey:
		return b.draftPublicKey(t)
	case object.ClassPrivateKey:
		return b.draftPrivateKey(t)
	case object.ClassSecretKey:
		return b.draftSecretKey(t)
	}
	return nil, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds no objects of class %v", class)
}

// newDraft prepares what all classes have.
func (b *backend) newDraft(t object.Template, kind tlv.Tag, tag tlv.Tag, base byte) (*draft, error) {
	private := object.Is(t, object.AttrPrivate)
	dir, err := b.app.chooseDir(kind, private)
	if err != nil {
		return nil, err
	}
	label, _ := object.In(t, object.AttrLabel)
	id, _ := object.In(t, object.AttrID)
	e := &entry{
		dir: dir, label: label, id: id,
		flags: bitsOf(private, object.Is(t, object.AttrModifiable)),
	}
	if private {
		e.authID = b.authID
	}
	return &draft{t: t, entry: e, tag: tag, base: base}, nil
}

// fileACL is the access condition for an object's file: a private one is the
// user's; a public one anybody reads, and who writes its directory writes it.
func (b *backend) fileACL(e *entry) acl {
	if e.private() {
		u := b.userRef()
		return acl{u<<4 | u, u<<4 | 0xF, 0xFF}
	}
	w := e.dir.info.acl.update()
	return acl{w, w<<4 | 0xF, 0xFF}
}

// keyACL is that for a key's file: use, import; delete, generate.
func (b *backend) keyACL() acl {
	u := b.userRef()
	return acl{u<<4 | u, u<<4 | u, 0xFF}
}

func (b *backend) userRef() byte {
	p, err := b.pinOf(token.User)
	if err != nil {
		return 0xF
	}
	return p.ref & 0xF
}

// content makes the object a plain file with the given bytes.
func (b *backend) content(d *draft, v []byte) error {
	if len(v) > maxFile {
		return ckr.Newf(ckr.DeviceMemory, "", "the value has %d bytes; a file of the card holds %d", len(v), maxFile)
	}
	d.file = newFile{kind: kindEF, size: max(1, len(v)), acl: b.fileACL(d.entry)}
	if len(v) == 0 {
		d.entry.path.window = true // an empty part of a file that cannot be empty
	}
	d.fill = func(ctx context.Context) error { return b.app.write(ctx, nil, v) }
	return nil
}

func (b *backend) draftData(t object.Template) (*draft, error) {
	base := byte(fileData)
	if object.Is(t, object.AttrPrivate) {
		base = fileDataPrivate
	}
	d, err := b.newDraft(t, dirData, tagSeq, base)
	if err != nil {
		return nil, err
	}
	d.entry.app, _ = object.In(t, object.AttrApplication)
	d.entry.oid, _ = object.In(t, object.AttrObjectID)
	if el, rest, err := tlv.Next(d.entry.oid); len(d.entry.oid) > 0 && (err != nil || el.Tag != tagOID || len(rest) > 0) {
		return nil, ckr.Newf(ckr.AttributeValueInvalid, "", "%v is no DER object identifier", object.AttrObjectID.Type)
	}
	v, _ := object.In(t, object.AttrValue)
	d.read = object.Template{object.AttrValue.Is(v)}
	return d, b.content(d, v)
}

func (b *backend) draftCertificate(t object.Template) (*draft, error) {
	if ct, _ := object.In(t, object.AttrCertificateType); ct != object.CertificateX509 {
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds X.509 certificates only")
	}
	v, _ := object.In(t, object.AttrValue)
	if len(v) == 0 {
		return nil, ckr.Newf(ckr.TemplateInconsistent, "", "the card holds certificates by value only")
	}
	d, err := b.newDraft(t, dirCerts, tagSeq, fileCert)
	if err != nil {
		return nil, err
	}
	d.entry.ca = object.Is(t, object.AttrTrusted)
	d.read = certificateView(v)
	if len(d.entry.id) == 0 {
		if pub := certificateKey(v); pub != nil {
			d.entry.id = keyID(pub)
		}
	}
	return d, b.content(d, v)
}

func (b *backend) draftPublicKey(t object.Template) (*draft, error) {
	pub, err := publicOf(t)
	if err != nil {
		return nil, err
	}
	return b.draftPublic(t, pub)
}

// sideAttrs is what of a template neither the entry nor the value tells. Parts
// of keys that are secret never get there.
func (a *app) sideAttrs(d *draft) (side object.Template) {
	plain := *d.entry
	plain.side = nil
	back := a.fromEntry(&plain).With(d.read...)
	rules := object.RulesOf(d.t)
	for _, attr := range d.t {
		if r, ok := rules.Lookup(attr.Type); ok && r.Notes.Has(object.HiddenIfSensitive) {
			continue
		}
		if have, ok := back.Lookup(attr.Type); ok && have.Equal(attr) || skipSide[attr.Type] {
			continue
		}
		if nested, isNested := attr.Nested(); !isNested && len(attr.Bytes()) == 0 || isNested && len(nested) == 0 {
			if _, ok := back.Lookup(attr.Type); !ok {
				continue
			}
		}
		side = append(side, attr.Clone()) // it outlives the template
	}
	return side
}

// skipSide is what the card or the entry itself decides.
var skipSide = map[object.Type]bool{
	object.AttrClass.Type: true, object.AttrToken.Type: true, object.AttrPrivate.Type: true,
	object.AttrUniqueID.Type: true, object.AttrID.Type: true, object.AttrSensitive.Type: true,
	object.AttrModulus.Type: true, object.AttrPublicExponent.Type: true, object.AttrModulusBits.Type: true,
	object.AttrECPoint.Type: true, object.AttrECParams.Type: true, object.AttrValueLen.Type: true,
	object.AttrPublicKeyInfo.Type: true,
}

// put makes the file, the side record and the directory entry of a draft.
func (b *backend) put(ctx context.Context, d *draft, undo *rollback) error {
	a := b.app
	// What cannot fit is refused before anything is made.
	d.entry.path.file = a.file(uint16(d.base)<<8 | 0xFF)
	d.entry.build(d.tag)
	if err := d.entry.dir.fits(d.entry.dir.with(nil, d.entry)); err != nil {
		return err
	}
	if err := a.makeFile(ctx, d, undo); err != nil {
		return err
	}
	if d.fill != nil {
		if err := d.fill(ctx); err != nil {
			return err
		}
	}
	return b.enter(ctx, d, undo)
}

// makeFile creates the file under a FID that is free, and selects it. Names of
// files that are gone are taken again only when no other is left, so that what
// remembers a destroyed object does not soon meet another.
func (a *app) makeFile(ctx context.Context, d *draft, undo *rollback) error {
	if err := a.selectDF(ctx); err != nil {
		return err
	}
	made, err := a.createUnderFreeName(ctx, d)
	if err == nil && !made {
		a.forgetNames()
		made, err = a.createUnderFreeName(ctx, d)
	}
	if err != nil {
		return err
	}
	if !made {
		return ckr.Newf(ckr.DeviceMemory, "", "all file names %02Xxx are taken", d.base)
	}
	file := a.file(d.file.fid)
	d.entry.path.file = file
	undo.add(func(ctx context.Context) error { return a.deleteFile(ctx, file) })
	_, err = a.do(ctx, selectCommand(file, 0))
	return err
}

// createUnderFreeName tries the names that were not used, one after the other;
// the card says which are taken all the same.
func (a *app) createUnderFreeName(ctx context.Context, d *draft) (made bool, err error) {
	for low := 1; low <= 0xFF; low++ {
		fid := uint16(d.base)<<8 | uint16(low)
		if a.usedFIDs[fid] {
			continue
		}
		a.usedFIDs[fid] = true
		d.file.fid = fid
		err := a.create(ctx, d.file)
		if errors.Is(err, swExists) {
			continue
		}
		if refused(err) {
			delete(a.usedFIDs, fid)
		}
		return err == nil, err
	}
	return false, nil
}

// forgetNames keeps in mind only the names of files that are there.
func (a *app) forgetNames() {
	clear(a.usedFIDs)
	for _, d := range a.dirs {
		for _, e := range d.entries {
			if e.node.Tag != 0 {
				a.usedFIDs[e.fid()] = true
			}
		}
	}
}

// enter writes the side record and the directory entry.
func (b *backend) enter(ctx context.Context, d *draft, undo *rollback) error {
	a, e := b.app, d.entry
	e.build(d.tag)
	side := a.sideAttrs(d)
	list := e.dir.with(nil, e)
	// The record is planned with the entry in place, so that it stays.
	was := e.dir.entries
	e.dir.entries = list
	err := a.keep(ctx, e, side)
	e.dir.entries = was
	if err != nil {
		return err
	}
	undo.add(func(ctx context.Context) error { return a.keep(ctx, e, nil) })
	if err := a.writeDir(ctx, e.dir, list); err != nil {
		return err
	}
	undo.add(func(ctx context.Context) error { return a.writeDir(ctx, e.dir, e.dir.without(e)) })
	return nil
}

// Destroy removes an object: first from its directory, so that it never shows
// what is not there; if then the card does not give the file up, the entry is
// written back.
func (b *backend) Destroy(ctx context.Context, ref driver.Ref, _ driver.Auth) error {
	if err := b.ready(); err != nil {
		return err
	}
	e, err := b.entry(ref)
	if err != nil {
		return err
	}
	a, was := b.app, e.dir.entries
	if err := a.writeDir(ctx, e.dir, e.dir.without(e)); err != nil {
		return err
	}
	if len(e.path.file) > 0 && !a.shared(e) {
		err := a.deleteFile(ctx, e.path.file)
		if err != nil && !errors.Is(err, swNotFound) {
			if refused(err) {
				ctx, done := driver.CleanupContext(ctx)
				defer done()
				a.writeDir(ctx, e.dir, was)
				b.synced(ctx)
			}
			return fmt.Errorf("file %X: %w", e.path.file, err)
		}
	}
	a.mu.Lock()
	delete(a.objects, ref)
	a.mu.Unlock()
	// The object is gone; its side record is only litter, and goes with the
	// next write if it cannot go now.
	a.keep(ctx, e, nil)
	return b.synced(ctx)
}

// shared reports whether another object lives in the same file.
func (a *app) shared(e *entry) bool {
	for _, d := range a.dirs {
		for _, o := range d.entries {
			if o != e && bytes.Equal(o.path.file, e.path.file) {
				return true
			}
		}
	}
	return false
}
