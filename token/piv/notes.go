package piv

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/sha1"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// derivation is what YubiKey Manager notes of the management key in the object
// 5FFF00: that it is kept in 5FC109, or the salt that it is derived from the
// PIN with.
type derivation struct {
	known bool
	kept  bool
	salt  []byte
	key   []byte // derived, while the user is logged in
}

// Of YubiKey Manager's notes.
const (
	noteKept       = 0x02
	saltLength     = 16
	derivedRounds  = 10000
	derivedLength  = 24
	tagNotes       = tlv.Tag(0x80)
	tagNoteFlags   = tlv.Tag(0x81)
	tagNoteSalt    = tlv.Tag(0x82)
	tagKept        = tlv.Tag(0x88)
	tagKeptKey     = tlv.Tag(0x89)
	tagObjectValue = tlv.Tag(0x53)
)

// readAdminData reads the notes, once.
func (a *app) readAdminData(ctx context.Context) error {
	d := &a.derived
	if d.known || !a.yubico {
		return nil
	}
	raw, err := a.getData(ctx, tagAdmin, whole)
	if err != nil {
		d.known, d.kept, d.salt = refused(err), false, nil
		return unlessRefused(err)
	}
	d.known, d.kept, d.salt = true, false, nil
	if v, err := tlv.Find(raw, tagObjectValue, tagNotes, tagNoteFlags); err == nil && len(v) == 1 {
		d.kept = v[0]&noteKept != 0
	}
	if v, err := tlv.Find(raw, tagObjectValue, tagNotes, tagNoteSalt); err == nil && len(v) == saltLength {
		d.salt = bytes.Clone(v)
	}
	return nil
}

// of is the key of a PIN; nil if the program runs in a mode that has no such
// derivation.
func (d *derivation) of(pin []byte) []byte {
	key, err := pbkdf2.Key(sha1.New, string(pin), d.salt, derivedRounds, derivedLength)
	if err != nil {
		return nil
	}
	return key
}

// derive makes the key of a PIN that was just verified, where the card says so.
func (d *derivation) derive(pin []byte) {
	d.clear()
	if d.salt != nil {
		d.key = d.of(pin)
	}
}

func (d *derivation) clear() {
	clear(d.key)
	d.key = nil
}

// keptKey returns the management key that the card keeps for the user.
func (a *app) keptKey(ctx context.Context) ([]byte, error) {
	missing := ckr.Newf(ckr.UserNotLoggedIn, "", "writing needs the card's management key")
	if err := a.readAdminData(ctx); err != nil {
		return nil, err
	}
	d := &a.derived
	if d.kept {
		raw, err := a.getData(ctx, tagPrinted, whole)
		if err == nil {
			v, err := tlv.Find(raw, tagObjectValue, tagKept, tagKeptKey)
			if err == nil && keyLength(len(v)) {
				return v, nil
			}
			clear(raw)
		} else if !refused(err) {
			return nil, err
		}
	}
	if d.key != nil {
		return bytes.Clone(d.key), nil
	}
	return nil, missing
}

// keepKey has the card keep another management key for the user.
func (a *app) keepKey(ctx context.Context, key []byte) error {
	v := tlv.New(tagKept, tlv.New(tagKeptKey, key))
	defer clear(v)
	return a.putData(ctx, tagPrinted, v)
}

// forgetSalt removes the salt from the notes; what else stands there stays.
func (a *app) forgetSalt(ctx context.Context) error {
	a.derived.known = false
	raw, err := a.getData(ctx, tagAdmin, whole)
	if err != nil {
		return unlessRefused(err)
	}
	notes, err := tlv.Find(raw, tagObjectValue, tagNotes)
	if err != nil {
		return nil
	}
	var rest []byte
	for e, err := range tlv.Parse(notes) {
		if err != nil {
			return nil
		}
		if e.Tag != tagNoteSalt {
			rest = append(rest, e.Raw...)
		}
	}
	return a.putData(ctx, tagAdmin, tlv.New(tagNotes, rest))
}
