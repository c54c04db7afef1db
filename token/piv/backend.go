package piv

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// backend is the card's token.
type backend struct{ *app }

// The optional interfaces that the family has.
var (
	_ driver.Backend    = (*backend)(nil)
	_ driver.Confirmer  = (*backend)(nil)
	_ driver.Prover     = (*backend)(nil)
	_ driver.Signer     = (*backend)(nil)
	_ driver.Decrypter  = (*backend)(nil)
	_ driver.Deriver    = (*backend)(nil)
	_ driver.Generator  = (*backend)(nil)
	_ driver.Storer     = (*backend)(nil)
	_ driver.Updater    = (*backend)(nil)
	_ driver.Destroyer  = (*backend)(nil)
	_ driver.PINManager = (*backend)(nil)
	_ driver.PINStatus  = (*backend)(nil)
)

// Exclusive runs f in one transaction with the application selected.
func (b *backend) Exclusive(ctx context.Context, f func(ctx context.Context, tx driver.Tx) error) error {
	return driver.Exclusive(ctx, b.conn, aid, f)
}

// Alive is false once the card is known to be gone.
func (b *backend) Alive() bool { return b.conn.Alive() }

// Info describes the token, from what was read of it.
func (b *backend) Info(ctx context.Context) (token.Info, error) {
	info := token.Info{
		Label: "PIV", Model: "PIV", Serial: b.serial, Identity: b.identity,
		Flags:  token.FlagLoginRequired | token.FlagTokenInitialized | token.FlagUserPINInitialized,
		MinPIN: minPIN, MaxPIN: pinBlock,
		MinSOPIN: 16, MaxSOPIN: 64, BinarySOPIN: true,
		MinPUK: b.minPUK(), MaxPUK: pinBlock, FixedPlaces: true,
		UserTries:   b.userTries,
		TotalPublic: -1, FreePublic: -1, TotalPrivate: -1, FreePrivate: -1,
	}
	if b.yubico {
		info.Model = fmt.Sprintf("PIV %d.%d.%d", b.version[0], b.version[1], b.version[2])
		info.FirmwareVersion = [2]byte{b.version[0], b.version[1]}
	}
	if driver.HasPad(ctx, b.conn) {
		info.Flags |= token.FlagProtectedAuthPath
	}
	info.Flags |= driver.TriesFlags(token.User, b.userTries)
	return info, nil
}

// Kinds of objects, as they begin their Refs.
const (
	kindKey         = "key"
	kindPublic      = "public"
	kindCertificate = "certificate"
	kindAttestation = "attestation"
	kindData        = "data"
)

// place names a slot's object of a kind, or a data object, whatever it is.
func placeOf(kind string, n uint32) string { return fmt.Sprintf("%s:%X", kind, n) }

// refOf names the object of a kind that the slot has now. The caller holds mu.
func (s *slot) refOf(kind string) driver.Ref {
	place, count := placeOf(kind, uint32(s.ref)), s.count(kind)
	if count == 0 {
		return driver.Ref(place)
	}
	return driver.Ref(fmt.Sprintf("%s.%d", place, count))
}

// count is the number of the object of a kind that the slot has now.
func (s *slot) count(kind string) int {
	if kind == kindCertificate {
		return s.certCount
	}
	return s.keyCount
}

// parse takes a Ref apart: its kind, and the slot or the data object that it is
// of. Errors: ckr.ObjectHandleInvalid, also if the slot has another object now.
func (a *app) parse(ref driver.Ref) (kind string, s *slot, c *container, err error) {
	kind, s, c, err = a.parsePlace(ref)
	if err != nil || s == nil {
		return kind, s, c, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, number, _ := strings.Cut(string(ref), ".")
	if count, _ := strconv.Atoi(cmp.Or(number, "0")); count != s.count(kind) {
		return "", nil, nil, ckr.Newf(ckr.ObjectHandleInvalid, s.String(), "another object has taken the place of this one")
	}
	return kind, s, c, nil
}

// parsePlace is parse for whatever object the place has now.
func (a *app) parsePlace(ref driver.Ref) (kind string, s *slot, c *container, err error) {
	kind, rest, _ := strings.Cut(string(ref), ":")
	number, _, _ := strings.Cut(rest, ".")
	n, _ := strconv.ParseUint(number, 16, 32)
	a.mu.Lock()
	defer a.mu.Unlock()
	if kind == kindData {
		c = a.data[uint32(n)]
	} else if n <= 0xFF {
		s = a.slots[byte(n)]
	}
	if s == nil && c == nil {
		return "", nil, nil, ckr.New(ckr.ObjectHandleInvalid, "", nil)
	}
	return kind, s, c, nil
}

// still checks, after a look at the card, that a Ref names what it did. Errors:
// ckr.ObjectHandleInvalid.
func (a *app) still(ref driver.Ref) error {
	_, _, _, err := a.parse(ref)
	return err
}

// ProvesKeys implements token.Prover: what a key computes is compared with its
// public key after others have used the card, or the card is asked.
func (b *backend) ProvesKeys() {}

// Objects lists what the card may have, without looking. What was found out
// before is in doubt, since somebody else may have written.
func (b *backend) Objects(context.Context, bool) ([]driver.Record, error) {
	b.retired = -1
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []driver.Record
	each := func(record func(s *slot) driver.Record) {
		for i := range places {
			if s := b.slots[places[i].ref]; s != nil {
				list = append(list, record(s))
			}
		}
	}
	each(func(s *slot) driver.Record {
		s.fresh, s.certKnown, s.tested = false, false, false
		return b.keyRecord(s, true)
	})
	each(func(s *slot) driver.Record { return b.publicRecord(s, true) })
	each(func(s *slot) driver.Record { return b.certificateRecord(s, true) })
	if b.atLeast(4, 3) {
		each(func(s *slot) driver.Record { return b.attestationRecord(s, true) })
	}
	for i := range containers {
		if c := b.data[containers[i].tag]; c != nil {
			list = append(list, b.dataRecord(c, true))
		}
	}
	return list, nil
}

// Confirm looks whether an object is there, the one that was listed or another.
func (b *backend) Confirm(ctx context.Context, ref driver.Ref) (driver.Record, error) {
	kind, s, c, err := b.parsePlace(ref)
	if err != nil {
		return driver.Record{}, err
	}
	if s != nil {
		may, err := b.used(ctx, s)
		if err != nil {
			return driver.Record{}, err
		}
		if !may {
			return driver.Record{}, ckr.New(ckr.ObjectHandleInvalid, "", nil)
		}
	}
	there := false
	switch kind {
	case kindData:
		there, err = b.present(ctx, c.tag)
	case kindCertificate:
		there, err = b.fetchCertificate(ctx, s)
	case kindAttestation:
		there, err = b.attestable(ctx, s)
	case kindPublic:
		there, err = b.hasPublic(ctx, s)
	default:
		err = b.look(ctx, s)
		there = s.present
	}
	if err == nil && there && kind != kindData && kind != kindCertificate && s.held != nil {
		_, err = b.public(ctx, s) // it may be another key's certificate now
	}
	if err != nil {
		return driver.Record{}, err
	}
	if !there {
		return driver.Record{}, ckr.New(ckr.ObjectHandleInvalid, "", nil)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.record(kind, s, c), nil
}

// record makes the record of an object that is there. The caller holds mu.
func (a *app) record(kind string, s *slot, c *container) driver.Record {
	switch kind {
	case kindData:
		return a.dataRecord(c, false)
	case kindCertificate:
		return a.certificateRecord(s, false)
	case kindAttestation:
		return a.attestationRecord(s, false)
	case kindPublic:
		return a.publicRecord(s, false)
	}
	return a.keyRecord(s, false)
}

// Read reads what the listing does not tell: values of certificates and data,
// and what a key's public half is.
func (b *backend) Read(ctx context.Context, ref driver.Ref, types ...object.Type) (object.Template, error) {
	kind, s, c, err := b.parse(ref)
	if err != nil {
		return nil, err
	}
	var more object.Template
	switch kind {
	case kindData:
		more, err = b.readData(ctx, c)
	case kindCertificate:
		var der []byte
		if der, err = b.readCertificate(ctx, s); err == nil {
			more = certificateView(der)
		}
	case kindAttestation:
		var der []byte
		if der, err = b.attestation(ctx, s); err == nil {
			more = certificateView(der)
		}
	default:
		_, err = b.public(ctx, s)
	}
	if err == nil {
		err = b.still(ref)
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.record(kind, s, c).Known.With(more...)
	if len(types) == 0 {
		return all, nil
	}
	var out object.Template
	for _, t := range types {
		if v, ok := all.Lookup(t); ok {
			out = append(out, v)
		}
	}
	return out, nil
}

func (a *app) readData(ctx context.Context, c *container) (object.Template, error) {
	raw, err := a.getData(ctx, c.tag, whole)
	if err != nil {
		return nil, err
	}
	v, err := content(c.tag, raw)
	if err != nil {
		return nil, err
	}
	return object.Template{object.AttrValue.Is(v)}, nil
}

// Needs tells of keys that need the PIN each time, and that whoever writes
// needs the management key.
func (b *backend) Needs(v driver.Verb, ref driver.Ref) driver.Need {
	if v != driver.Use {
		return driver.Need{Write: v >= driver.Create}
	}
	kind, s, _, err := b.parse(ref)
	if err != nil || kind != kindKey {
		return driver.Need{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return driver.Need{Consent: s.alwaysAuthenticate()}
}

// Mechanisms tells what the card does with one of its keys, or with any.
func (b *backend) Mechanisms(ref driver.Ref) map[mechanism.Type]mechanism.Info {
	if ref == "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.general == nil {
			b.general = b.able()
		}
		return b.general
	}
	kind, s, _, err := b.parse(ref)
	if err != nil || kind != kindKey {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.able == nil {
		s.able = b.keyAble(s)
	}
	return s.able
}
