package pkcs15

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// A side file holds the attributes that PKCS #15 has no place for, one record
// an object:
//
//	E0 { 80 kind of directory and file path, E1 attribute … }
//	attribute: 81 type, big endian without leading zeros; 82 canonical value,
//	or E2 { E1 attribute … } for a template
//
// Like a directory it ends at the first byte 00 or FF. A record whose object
// is gone is dropped with the next write.
const (
	tagRecord tlv.Tag = 0xE0
	tagAttr   tlv.Tag = 0xE1
	tagNested tlv.Tag = 0xE2
	tagRef    tlv.Tag = 0x80
	tagType   tlv.Tag = 0x81
	tagValue  tlv.Tag = 0x82
)

// sideFile is a side file as it was read.
type sideFile struct {
	path    []byte
	info    fileInfo
	old     []byte
	records []sideRecord
	damaged bool
}

type sideRecord struct {
	key   []byte
	attrs object.Template
}

// sideKey names an object in a side file.
func (e *entry) sideKey() []byte {
	return append([]byte{byte(e.dir.kind)}, e.path.file...)
}

// readSides reads the side files, where the card has them.
func (a *app) readSides(ctx context.Context) error {
	for i, fid := range []uint16{fidSide, fidSideUser} {
		f := &sideFile{path: a.file(fid)}
		b, info, err := a.readFile(ctx, f.path, complete)
		switch {
		case errors.Is(err, swNotFound):
			a.sides[i] = nil
			continue
		case err != nil:
			return err
		}
		f.old, f.info = b, info
		f.parse()
		a.sides[i] = f
	}
	return nil
}

func (f *sideFile) parse() {
	list, _, err := entries(f.old)
	f.damaged = err != nil
	for _, raw := range list {
		n, err := one(raw)
		if err != nil || n.Tag != tagRecord {
			continue
		}
		ref, ok := find(n.Children, tagRef)
		if !ok {
			continue
		}
		f.records = append(f.records, sideRecord{ref.Value, parseSideAttrs(n.Children)})
	}
}

func parseSideAttrs(ns []tlv.Node) (t object.Template) {
	for _, n := range ns {
		if n.Tag != tagAttr {
			continue
		}
		typ, ok := find(n.Children, tagType)
		if !ok || len(typ.Value) > 8 {
			continue
		}
		var full [8]byte
		copy(full[8-len(typ.Value):], typ.Value)
		at := object.Type(binary.BigEndian.Uint64(full[:]))
		if v, ok := find(n.Children, tagValue); ok {
			t = append(t, object.Raw(at, bytes.Clone(v.Value)))
		} else if v, ok := find(n.Children, tagNested); ok {
			t = append(t, object.Attr[object.Template]{Type: at}.Is(parseSideAttrs(v.Children)))
		}
	}
	return t
}

func (r sideRecord) der() []byte {
	return tlv.New(tagRecord, tlv.New(tagRef, r.key), sideAttrsDER(r.attrs))
}

func sideAttrsDER(t object.Template) (b []byte) {
	for _, a := range t {
		typ := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, uint64(a.Type)), "\x00")
		value := tlv.New(tagValue, a.Bytes())
		if nested, ok := a.Nested(); ok {
			value = tlv.New(tagNested, sideAttrsDER(nested))
		}
		b = tlv.Append(b, tagAttr, tlv.New(tagType, typ), value)
	}
	return b
}

// sideOf returns the side file for an object: the user's for private ones.
func (a *app) sideOf(private bool) *sideFile {
	if private {
		return a.sides[1]
	}
	return a.sides[0]
}

// linkSides gives the entries the attributes that the side files hold.
func (a *app) linkSides() {
	for _, d := range a.dirs {
		for _, e := range d.entries {
			e.side = nil
			if f := a.sideOf(e.private()); f != nil {
				e.side = f.lookup(e.sideKey())
			}
		}
	}
}

func (f *sideFile) lookup(key []byte) object.Template {
	for _, r := range f.records {
		if bytes.Equal(r.key, key) {
			return r.attrs
		}
	}
	return nil
}

// plan returns the records with those of one object replaced; none of its own
// if attrs is empty. Records of objects that are gone are left out.
func (a *app) planSide(f *sideFile, key []byte, attrs object.Template) (list []sideRecord) {
	alive := map[string]bool{}
	for _, d := range a.dirs {
		for _, e := range d.entries {
			alive[string(e.sideKey())] = true
		}
	}
	for _, r := range f.records {
		if !bytes.Equal(r.key, key) && alive[string(r.key)] {
			list = append(list, r)
		}
	}
	if len(attrs) > 0 {
		list = append(list, sideRecord{key, attrs})
	}
	return list
}

// forgettable is what a card without side files may lose: CKA_KEY_GEN_MECHANISM
// then reads as unavailable, and a check value is computed from a value.
var forgettable = []object.Type{object.AttrKeyGenMechanism.Type, object.AttrCheckValue.Type}

// keep writes what PKCS #15 cannot hold of an object. On a card without side
// files that is refused, rather than forgotten.
func (a *app) keep(ctx context.Context, e *entry, attrs object.Template) error {
	f := a.sideOf(e.private())
	if f == nil {
		attrs = attrs.Without(forgettable...)
		if len(attrs) == 0 {
			return nil
		}
		return ckr.Newf(ckr.TemplateInconsistent, "", "this card cannot hold %v", attrs[0].Type)
	}
	if len(attrs) == 0 && f.lookup(e.sideKey()) == nil {
		return nil
	}
	list := a.planSide(f, e.sideKey(), attrs)
	var b []byte
	for _, r := range list {
		b = append(b, r.der()...)
	}
	if len(b) > f.info.size {
		return ckr.Newf(ckr.DeviceMemory, "", "the side file has %d bytes, %d are needed", f.info.size, len(b))
	}
	if err := a.rewrite(ctx, f.path, f.info.size, &f.old, b); err != nil {
		return fmt.Errorf("side file %X: %w", f.path, err)
	}
	f.records, f.damaged = list, false
	return nil
}
