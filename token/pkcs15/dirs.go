package pkcs15

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// dirFile is one directory file as it was read: its entries, and the bytes
// they take.
type dirFile struct {
	kind    tlv.Tag
	path    path
	base    []byte // what relative paths in it are joined to
	info    fileInfo
	old     []byte // as the card has it, as far as it was read
	entries []*entry
	damage  error // why what follows the entries is not understood
}

// readDirs reads all directories of objects. One that the card hides until
// the user logs in is left out and noted.
func (a *app) readDirs(ctx context.Context) error {
	a.dirs, a.hidden = nil, false
	for _, o := range a.odf {
		if o.kind == dirAuth {
			continue
		}
		if _, ours := dirClass[o.kind]; !ours {
			continue
		}
		d, err := a.readDir(ctx, o)
		switch {
		case errors.Is(err, swNotFound):
			continue
		case errors.Is(err, swSecurity), errors.Is(err, swUsage):
			a.hidden = true
			continue
		case err != nil:
			return err
		}
		a.dirs = append(a.dirs, d)
	}
	return nil
}

func (a *app) readDir(ctx context.Context, o odfEntry) (*dirFile, error) {
	d := &dirFile{kind: o.kind, path: o.path, base: a.df}
	b, info, err := a.readFile(ctx, o.path.file, func(b []byte) bool { return !o.path.window && complete(b) })
	if err != nil {
		return nil, err
	}
	d.info = info
	if d.old, err = o.path.cut(b); err != nil {
		d.damage = err
		return d, nil
	}
	d.parse()
	return d, nil
}

// parse takes the entries out of the bytes. An entry that is not understood
// is kept, to be shown as such and to survive a rewrite.
func (d *dirFile) parse() {
	list, _, err := entries(d.old)
	d.damage = err
	for _, raw := range list {
		e, err := parseEntry(d, raw)
		if err != nil {
			e = &entry{dir: d, raw: raw, label: fmt.Sprintf("damaged: %v", err)}
			e.node = tlv.Node{}
		}
		d.entries = append(d.entries, e)
	}
}

// bytes is the content of the file with the given entries.
func (d *dirFile) content(list []*entry) []byte {
	var b []byte
	for _, e := range list {
		b = append(b, e.raw...)
	}
	return b
}

// fits refuses entries that the file has no room for; files do not grow.
func (d *dirFile) fits(list []*entry) error {
	if d.damage != nil {
		return ckr.Newf(ckr.DeviceError, "", "the directory %X is damaged: %v", d.path.file, d.damage)
	}
	if d.path.window {
		return ckr.Newf(ckr.TokenWriteProtected, "", "the directory %X is part of a file", d.path.file)
	}
	if n := len(d.content(list)); n > d.info.size {
		return ckr.Newf(ckr.DeviceMemory, "", "the directory %X has %d bytes, %d are needed", d.path.file, d.info.size, n)
	}
	return nil
}

// writeDir makes the entries those of the directory, on the card and here.
func (a *app) writeDir(ctx context.Context, d *dirFile, list []*entry) error {
	if err := d.fits(list); err != nil {
		return err
	}
	b := d.content(list)
	if err := a.rewrite(ctx, d.path.file, d.info.size, &d.old, b); err != nil {
		return fmt.Errorf("directory %X: %w", d.path.file, err)
	}
	d.entries = list
	return nil
}

// rewrite writes the content of a file that ends at the first 00 or FF.
func (a *app) rewrite(ctx context.Context, file []byte, size int, old *[]byte, b []byte) error {
	new := append([]byte(nil), b...)
	for len(new) < size && (len(new) < len(*old) || len(new) == len(b)) {
		new = append(new, 0)
	}
	if _, err := a.do(ctx, selectCommand(file, 0)); err != nil {
		return err
	}
	if err := a.write(ctx, *old, new); err != nil {
		return err
	}
	*old = new
	return nil
}

// chooseDir returns the directory for a new object: of several of a kind the
// one whose writing asks for what the object is.
func (a *app) chooseDir(kind tlv.Tag, private bool) (*dirFile, error) {
	all := a.dirsOf(kind)
	for _, d := range all {
		if private == (d.info.acl.update() != 0) {
			return d, nil
		}
	}
	if len(all) > 0 {
		return all[0], nil
	}
	return nil, ckr.Newf(ckr.DeviceMemory, "", "the card has no directory for such objects")
}

// without is a directory's entries without one.
func (d *dirFile) without(e *entry) (list []*entry) {
	for _, o := range d.entries {
		if o != e {
			list = append(list, o)
		}
	}
	return list
}

// with is a directory's entries with one replaced, or added at the end.
func (d *dirFile) with(old, new *entry) (list []*entry) {
	found := false
	for _, o := range d.entries {
		if o == old && old != nil {
			o, found = new, true
		}
		list = append(list, o)
	}
	if !found {
		list = append(list, new)
	}
	return list
}
