package pkcs15

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// backend is one token of the application: one user PIN, and the objects that
// belong to it.
type backend struct {
	app    *app
	authID []byte // of the user PIN; empty if there is none
	seen   uint64 // app.writes when the objects were listed
}

// The optional interfaces that the family has.
var (
	_ driver.Backend       = (*backend)(nil)
	_ driver.Signer        = (*backend)(nil)
	_ driver.Decrypter     = (*backend)(nil)
	_ driver.Encrypter     = (*backend)(nil)
	_ driver.Deriver       = (*backend)(nil)
	_ driver.Generator     = (*backend)(nil)
	_ driver.Storer        = (*backend)(nil)
	_ driver.Updater       = (*backend)(nil)
	_ driver.Destroyer     = (*backend)(nil)
	_ driver.Initializer   = (*backend)(nil)
	_ driver.PINManager    = (*backend)(nil)
	_ driver.PINStatus     = (*backend)(nil)
	_ driver.Random        = (*backend)(nil)
	_ driver.ChangeCounter = (*backend)(nil)
	_ driver.Hider         = (*backend)(nil)
	_ driver.Sibling       = (*backend)(nil)
)

// Exclusive runs f in one transaction with the application selected.
func (b *backend) Exclusive(ctx context.Context, f func(ctx context.Context, tx driver.Tx) error) error {
	return driver.Exclusive(ctx, b.app.conn, b.app.aid, f)
}

// Alive is false once the card is known to be gone.
func (b *backend) Alive() bool { return b.app.conn.Alive() }

// Info describes the token, from what was read of it.
func (b *backend) Info(ctx context.Context) (token.Info, error) {
	a := b.app
	if !a.haveState {
		if err := a.readState(ctx); err != nil {
			return token.Info{}, err
		}
	}
	info := token.Info{
		Label: b.label(), Manufacturer: a.info.manufacturer, Model: "PKCS#15", Serial: a.serial(), Identity: b.identity(),
		Flags:  token.FlagRNG | token.FlagLoginRequired,
		MinPIN: 4, MaxPIN: pinBlock, MinSOPIN: 4, MaxSOPIN: pinBlock, MinPUK: 1, MaxPUK: pinBlock,
		TotalPublic: -1, FreePublic: -1, TotalPrivate: -1, FreePrivate: -1,
		HardwareVersion: [2]byte{a.card.version[0], a.card.version[1]},
		FirmwareVersion: [2]byte{a.card.version[0], a.card.version[1]},
	}
	if info.Manufacturer == "" {
		info.Manufacturer = a.card.name
	}
	if a.initialised() {
		info.Flags |= token.FlagTokenInitialized
	}
	if driver.HasPad(ctx, a.conn) {
		info.Flags |= token.FlagProtectedAuthPath
	}
	if a.info.flags.has(flagReadonly) {
		info.Flags |= token.FlagWriteProtected
	}
	if p, err := b.pinOf(token.User); err == nil {
		info.MinPIN, info.MaxPIN, info.UserTries = p.min, p.max, p.tries
		info.Flags |= driver.TriesFlags(token.User, p.tries)
		if p.flags.has(pinInitialized) {
			info.Flags |= token.FlagUserPINInitialized
		}
	}
	if p, err := b.pinOf(token.SO); err == nil {
		info.MinSOPIN, info.MaxSOPIN, info.SOTries = p.min, p.max, p.tries
		info.Flags |= driver.TriesFlags(token.SO, p.tries)
	}
	return info, nil
}

// label is the token's label, with the PIN's where the card has several.
func (b *backend) label() string {
	a := b.app
	p, err := b.pinOf(token.User)
	if err != nil || len(a.backends) < 2 || p.label == "" || p.label == "PIN" {
		return a.info.label
	}
	return fmt.Sprintf("%s (%s)", a.info.label, p.label)
}

// serial is the serial number in the 16 characters that PKCS #11 has for it.
func (a *app) serial() string {
	s := a.info.serial
	if len(s) == 0 {
		s = a.card.serial
	}
	h := hex.EncodeToString(s)
	return h[max(0, len(h)-16):]
}

// identity is the serial numbers of token and card and the user PIN's, or empty
// if there is none of the former.
func (b *backend) identity() string {
	a := b.app
	if len(bytes.Trim(a.info.serial, "\x00"))+len(bytes.Trim(a.card.serial, "\x00")) == 0 {
		return ""
	}
	return fmt.Sprintf("%x %x %x", a.info.serial, a.card.serial, b.authID)
}

// Changed compares the card's change counter with the one of our last look.
func (b *backend) Changed(ctx context.Context) (bool, error) {
	counter, err := b.app.readCounter(ctx)
	return counter != b.app.counter || !b.app.haveState, err
}

// Outdated tells whether another token of the card wrote since our listing.
func (b *backend) Outdated() bool { return b.seen != b.app.writes }

// synced notes the change counter, and our own write, which outdates the
// listings of the card's other tokens.
func (b *backend) synced(ctx context.Context) error {
	a := b.app
	if a.writes++; b.seen == a.writes-1 {
		b.seen = a.writes
	}
	return a.synced(ctx)
}

// HidesObjects tells whether a directory could not be read without the user.
func (b *backend) HidesObjects() bool { return b.app.hidden }

// Objects reads all directories, and what describes the token again if
// somebody else wrote since.
func (b *backend) Objects(ctx context.Context, _ bool) ([]driver.Record, error) {
	a := b.app
	counter, err := a.current(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.readDirs(ctx); err != nil {
		return nil, err
	}
	if err := a.readSides(ctx); err != nil {
		return nil, err
	}
	a.counter = counter
	a.linkSides()
	b.seen = a.writes
	return b.records(), nil
}

// current reads the state again if it is not that of the card's counter.
func (a *app) current(ctx context.Context) (uint16, error) {
	if a.haveState && a.fresh {
		a.fresh = false
		if a.disturbances(ctx) == a.freshAt {
			return a.counter, nil
		}
	}
	counter, err := a.readCounter(ctx)
	if err != nil {
		return 0, err
	}
	if counter != a.counter || !a.haveState {
		if err := a.readState(ctx); err != nil {
			return 0, err
		}
	}
	return counter, nil
}

// disturbances tells how often somebody else may have used the card.
func (a *app) disturbances(ctx context.Context) (n uint64) {
	a.conn.Exclusive(ctx, nil, func(_ context.Context, tx *apdu.Tx) error {
		n = tx.Disturbances()
		return nil
	})
	return n
}

// records lists the objects that belong to the token, and takes note of all:
// those of the card's other tokens have new entries, too.
func (b *backend) records() (list []driver.Record) {
	a := b.app
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.objects)
	for _, d := range a.dirs {
		for i, e := range d.entries {
			if e.node.Tag == 0 {
				if b.first() {
					list = append(list, damaged(d, i, e))
				}
				continue
			}
			a.usedFIDs[e.fid()] = true
			a.objects[e.ref()] = e
			if b.owns(e) {
				list = append(list, a.record(e))
			}
		}
	}
	return list
}

// damaged shows an entry that is not understood as a data object.
func damaged(d *dirFile, i int, e *entry) driver.Record {
	return driver.Record{
		Ref: driver.Ref(fmt.Sprintf("%v:%X:%d", d.kind, d.path.file, i)),
		Known: object.Template{
			object.AttrClass.Is(dirClass[d.kind]), object.AttrToken.Is(true), object.AttrPrivate.Is(false),
			object.AttrModifiable.Is(false), object.AttrLabel.Is(e.label),
		},
		Err: ckr.Newf(ckr.DeviceError, "", "the directory entry is damaged"),
	}
}

func (b *backend) first() bool { return len(b.app.backends) == 0 || b.app.backends[0] == b }

// owns reports whether an object belongs to this token: those with a PIN to
// its token, all others to the first.
func (b *backend) owns(e *entry) bool {
	if len(e.authID) == 0 {
		return b.first()
	}
	for _, o := range b.app.backends {
		if bytes.Equal(o.authID, e.authID) {
			return o == b
		}
	}
	return b.first()
}

func (a *app) record(e *entry) driver.Record {
	return driver.Record{Ref: e.ref(), Private: e.private(), Known: a.known(e)}
}

// ref names an object by its directory, its file, and its entry's beginning
// where several share a file.
func (e *entry) ref() driver.Ref {
	if len(e.path.file) == 0 || e.path.window {
		return driver.Ref(fmt.Sprintf("%v:%X:%d:%x", e.dir.kind, e.path.file, e.path.index, e.id))
	}
	return driver.Ref(fmt.Sprintf("%v:%X", e.dir.kind, e.path.file))
}

// entry returns the object behind a name. Errors: ckr.ObjectHandleInvalid.
func (b *backend) entry(ref driver.Ref) (*entry, error) {
	b.app.mu.Lock()
	defer b.app.mu.Unlock()
	e := b.app.objects[ref]
	if e == nil {
		return nil, ckr.New(ckr.ObjectHandleInvalid, "", nil)
	}
	return e, nil
}

// Needs tells of keys with user consent.
func (b *backend) Needs(v driver.Verb, ref driver.Ref) driver.Need {
	e, err := b.entry(ref)
	if err != nil || v != driver.Use {
		return driver.Need{}
	}
	return driver.Need{Consent: e.consent > 0}
}

// Random asks the card's generator (GET CHALLENGE, ISO 7816-4 §11.5.3).
func (b *backend) Random(ctx context.Context, n int) ([]byte, error) {
	var out []byte
	for len(out) < n {
		want := min(n-len(out), 128)
		part, err := b.app.do(ctx, apdu.Command{INS: 0x84, Le: want})
		if err != nil {
			return nil, why("GET CHALLENGE", err)
		}
		if len(part) == 0 || len(part) > want {
			return nil, ckr.Newf(ckr.DeviceError, "GET CHALLENGE", "%d bytes for %d", len(part), want)
		}
		out = append(out, part...)
	}
	return out, nil
}

// Mechanisms tells what the card does with one of its keys, or with any.
func (b *backend) Mechanisms(ref driver.Ref) map[mechanism.Type]mechanism.Info {
	if ref == "" {
		return b.app.cardMechanisms()
	}
	e, err := b.entry(ref)
	if err != nil {
		return nil
	}
	return b.app.keyMechanisms(e)
}
