package piv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// aid names the application without its version, which cards answer to in
// whatever version they are, SP 800-73-5 part 1 §2.2.
var aid = []byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00}

// app is the application on one card. All but what mu guards is used within a
// unit only.
type app struct {
	conn *apdu.Conn

	yubico  bool
	version [3]byte // of a YubiKey
	silent  bool    // it knows no metadata, whatever its version
	long    bool    // it gave an answer longer than a short one
	serial  string
	// identity is the serial number, GUID or FASC-N in full; empty without.
	identity string
	policy   byte // PIN usage policy of the discovery object
	pinRef   byte // the PIN that logs the user in
	retired  int  // retired keys that there may be, from the first on; -1: not known

	userTries   ckr.Tries
	oldCounters bool // the card counts in 630x, and is not asked for its state
	derived     derivation

	mu      sync.Mutex
	slots   map[byte]*slot // by key reference
	data    map[uint32]*container
	general abilities
}

// Driver knows cards with a PIV application.
func Driver() driver.Driver { return driver.Driver{Name: "piv", Probe: probe} }

// probe selects the application; whoever has it is of the family.
func probe(ctx context.Context, conn *apdu.Conn) ([]driver.Backend, error) {
	a := &app{conn: conn, retired: -1, slots: make(map[byte]*slot), data: make(map[uint32]*container)}
	err := conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error {
		fci, _ := tx.Selected()
		return a.open(ctx, fci)
	})
	var sw apdu.Status
	switch {
	case errors.As(err, &sw) && a.serial == "":
		return nil, nil // the card has no such application
	case err != nil:
		return nil, err
	}
	return []driver.Backend{&backend{a}}, nil
}

// open reads what tells the token from others, in two exchanges.
func (a *app) open(ctx context.Context, fci []byte) error {
	a.pinRef = refPIN
	if a.looksYubico(fci) {
		if err := a.readVersion(ctx); err != nil {
			return err
		}
	}
	var err error
	if a.yubico {
		err = a.readSerial(ctx)
	} else if err = a.readDiscovery(ctx); err == nil {
		err = a.readCHUID(ctx)
	}
	if err != nil {
		return err
	}
	a.place()
	return nil
}

// relatives are words in the historical bytes, or in the application's label,
// of cards that speak Yubico's dialect.
var relatives = []string{"yubikey", "nitrokey", "canokey", "pivapplet", "solo", "token2"}

func (a *app) looksYubico(fci []byte) bool {
	hints := bytes.Clone(fci)
	if atr, err := apdu.ParseATR(a.conn.Info().ATR); err == nil {
		hints = append(hints, atr.Historical...)
	}
	said := strings.ToLower(string(hints))
	for _, word := range relatives {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}

// readVersion asks for the version, which tells a card of that dialect.
func (a *app) readVersion(ctx context.Context) error {
	b, err := a.do(ctx, apdu.Command{INS: insVersion, Le: 256})
	if refused(err) {
		return nil
	}
	if err == nil && len(b) == 3 {
		a.yubico, a.version = true, [3]byte(b)
	}
	return err
}

// atLeast compares the version of a YubiKey.
func (a *app) atLeast(major, minor byte) bool {
	return a.yubico && (a.version[0] > major || a.version[0] == major && a.version[1] >= minor)
}

// readSerial reads a YubiKey's serial number; before version 5 it had none for
// PIV.
func (a *app) readSerial(ctx context.Context) error {
	b, err := a.do(ctx, apdu.Command{INS: insSerial, Le: 256})
	if refused(err) {
		return a.readCHUID(ctx)
	}
	if err == nil && len(b) == 4 {
		a.serial = fmt.Sprint(binary.BigEndian.Uint32(b))
		if a.serial != "0" {
			a.identity = "yubico " + a.serial
		}
	}
	return err
}

// chuidHead is how much of the CHUID is read for the serial number: FASC-N,
// agency code, organisation, DUNS number and GUID come before its signature.
const chuidHead = 96

// readCHUID makes a serial number of the card's GUID, or of the FASC-N where
// that is all zero, as on cards that are older than it.
func (a *app) readCHUID(ctx context.Context) error {
	b, err := a.getData(ctx, tagCHUID, chuidHead)
	a.serial = "0"
	if err != nil {
		return unless(err, swNotFound, swSecurity)
	}
	_, content, _ := header(b)
	for _, tag := range []byte{0x34, 0x30} {
		if v := leading(content, tag); len(bytes.Trim(v, "\x00")) > 0 {
			s := fmt.Sprintf("%x", v)
			a.serial, a.identity = s[max(0, len(s)-16):], s
			return nil
		}
	}
	return nil
}

// leading finds an element in the beginning of a value, which may be cut off.
func leading(b []byte, tag byte) []byte {
	for len(b) >= 2 {
		n := int(b[1])
		if b[1] >= 0x80 || 2+n > len(b) {
			return nil
		}
		if b[0] == tag {
			return b[2 : 2+n]
		}
		b = b[2+n:]
	}
	return nil
}

// readDiscovery reads which PINs there are and which one is preferred, SP
// 800-73-5 part 1 §3.3.2.
func (a *app) readDiscovery(ctx context.Context) error {
	b, err := a.getData(ctx, tagDiscovery, whole)
	if err != nil {
		return unless(err, swNotFound, swSecurity)
	}
	v, err := tlv.Find(b, tagDiscovery, 0x5F2F)
	if err != nil || len(v) != 2 {
		return nil // what cannot be read tells nothing
	}
	a.policy = v[0]
	if v[0]&policyGlobal != 0 && v[1] == preferGlobal {
		a.pinRef = refGlobalPIN
	}
	return nil
}

// Bits of the PIN usage policy, and the second byte's preference.
const (
	policyGlobal = 0x20
	policyOCC    = 0x10
	policyVCI    = 0x08
	preferGlobal = 0x20
)

func (a *app) comparesOnCard() bool  { return a.policy&policyOCC != 0 }
func (a *app) securesMessages() bool { return a.policy&policyVCI != 0 }

// readHistory reads how many retired keys there are, SP 800-73-5 part 1
// §3.3.3, unless it is known. The URL in it, of certificates that are
// elsewhere, is not looked at. YubiKeys have retired keys without it, and where
// it cannot be read there may be any number.
func (a *app) readHistory(ctx context.Context) error {
	if a.retired >= 0 {
		return nil
	}
	b, err := a.getData(ctx, tagHistory, whole)
	switch {
	case refused(err) && a.yubico:
		a.retired = retiredKeys
		return nil
	case refused(err):
		a.retired = 0
		return nil
	case err != nil:
		return err
	}
	a.retired = retiredKeys
	if v, err := content(tagHistory, b); err == nil {
		if on, off, ok := historyCounts(v); ok {
			a.retired = min(on+off, retiredKeys)
		}
	}
	return nil
}

// used tells whether a slot may be used at all. Retired ones are by the key
// history, or because they were written here.
func (a *app) used(ctx context.Context, s *slot) (bool, error) {
	if !s.retired() || s.ours {
		return true, nil
	}
	if err := a.readHistory(ctx); err != nil {
		return false, err
	}
	return int(s.ref-firstRetired) < a.retired, nil
}

// place makes the slots and data objects that the card may have.
func (a *app) place() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range places {
		p := &places[i]
		switch {
		case p.ref == refAttestation && !a.atLeast(4, 3):
		case a.slots[p.ref] == nil:
			a.slots[p.ref] = &slot{place: p}
		}
	}
	for i := range containers {
		c := &containers[i]
		if (!c.yubico || a.yubico) && (c.only == nil || c.only(a)) {
			a.data[c.tag] = c
		}
	}
}
