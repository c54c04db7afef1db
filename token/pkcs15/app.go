package pkcs15

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// pkcs15AID names the application, ISO 7816-15 §5.
var pkcs15AID = []byte{0xA0, 0x00, 0x00, 0x00, 0x63, 'P', 'K', 'C', 'S', '-', '1', '5'}

// Files of the application, as pkcs15-init's profile for these cards has them,
// and two of our own.
const (
	fidODF       = 0x5031
	fidTokenInfo = 0x5032
	fidInfo      = 0x4946 // pkcs15-init's note of the profile
	fidAODF      = 0x4401
	fidPrKDF     = 0x4402
	fidCDF       = 0x4403
	fidPuKDF     = 0x4404
	fidDODF      = 0x4406
	fidSKDF      = 0x4407
	fidDODFUser  = 0x4408 // of private data objects
	fidSide      = 0x4411 // side file that anybody writes
	fidSideUser  = 0x4412 // side file that the user writes
)

// app is the PKCS#15 application on one card, shared by its tokens. All but
// what mu guards is used within a unit only.
type app struct {
	conn *apdu.Conn
	aid  []byte
	df   []byte // path of the application's directory
	card applet

	writes    uint64 // our own so far
	counter   uint16 // the card's change counter when all was read
	haveState bool
	fresh     bool   // the state was read at probe, and nothing else since
	freshAt   uint64 // the disturbances that had been seen then
	odf       []odfEntry
	info      tokenInfo
	pins      []*pin
	aodf      *dirFile
	dirs      []*dirFile
	sides     [2]*sideFile // public, user
	hidden    bool         // a directory could not be read without the user
	usedFIDs  map[uint16]bool
	backends  []*backend

	mu      sync.Mutex
	objects map[driver.Ref]*entry
	able    abilities // what the card does; made once
}

// applet is what a MyEID-compatible card tells of itself.
type applet struct {
	name         string
	version      [3]byte
	serial       []byte
	features     uint16
	rsa, aes, ec int // largest keys, bits
}

// Bits of the capabilities.
const (
	featureRSA = 1
	featureDES = 2
	featureAES = 4
	featureEC  = 8
)

// Driver knows MyEID-compatible cards with PKCS #15 objects on them, and such
// cards that are blank and can be initialised.
func Driver() driver.Driver { return driver.Driver{Name: "pkcs15", Probe: probe} }

// probe recognises the family by the end of the historical bytes.
func probe(ctx context.Context, conn *apdu.Conn) ([]driver.Backend, error) {
	atr, err := apdu.ParseATR(conn.Info().ATR)
	if err != nil || !bytes.HasSuffix(atr.Historical, []byte("MyEID")) && !bytes.HasSuffix(atr.Historical, []byte("OsEID")) {
		return nil, nil
	}
	a := &app{
		conn: conn, aid: pkcs15AID, df: []byte{0x3F, 0x00, 0x50, 0x15},
		usedFIDs: make(map[uint16]bool), objects: make(map[driver.Ref]*entry),
	}
	err = conn.Exclusive(ctx, a.aid, func(ctx context.Context, tx *apdu.Tx) error {
		if err := a.readApplet(ctx); err != nil {
			return err
		}
		a.fresh, a.freshAt = true, tx.Disturbances()
		return a.readState(ctx)
	})
	if err != nil {
		return nil, err
	}
	return a.tokens(), nil
}

// tokens makes one Backend for each user PIN; a card without one has a token
// all the same.
func (a *app) tokens() (list []driver.Backend) {
	for _, p := range a.pins {
		if p.user() {
			a.backends = append(a.backends, &backend{app: a, authID: p.id})
		}
	}
	if len(a.backends) == 0 {
		a.backends = append(a.backends, &backend{app: a})
	}
	for _, b := range a.backends {
		list = append(list, b)
	}
	return list
}

// readApplet reads the applet's version, serial number and change counter, and
// what it can do.
func (a *app) readApplet(ctx context.Context) error {
	b, err := a.information(ctx)
	if err != nil {
		return err
	}
	a.counter = counterIn(b)
	a.card.name = string(b[:5])
	a.card.version = [3]byte(b[5:8])
	a.card.serial = bytes.Clone(b[8:18])
	a.card.features, a.card.rsa, a.card.ec = featureRSA|featureEC, 2048, 521
	if a.card.version[0] < 4 {
		return nil
	}
	b, err = a.do(ctx, getData(0xAA, 12))
	if err != nil || len(b) < 11 {
		return err
	}
	word := func(i int) int { return int(b[i])<<8 | int(b[i+1]) }
	a.card.features = uint16(word(1))
	a.card.rsa, a.card.aes, a.card.ec = word(3), word(7), word(9)
	return nil
}

// information reads the applet's name, version, serial number and change
// counter.
func (a *app) information(ctx context.Context) ([]byte, error) {
	b, err := a.do(ctx, getData(0xA0, 20))
	if err != nil {
		return nil, err
	}
	if len(b) != 20 {
		return nil, fmt.Errorf("applet information of %d bytes: %w", len(b), apdu.ErrLink)
	}
	return b, nil
}

// readCounter returns the change counter. What else the applet tells stays as
// long as the card: it is read without a lock.
func (a *app) readCounter(ctx context.Context) (uint16, error) {
	b, err := a.information(ctx)
	if err != nil {
		return 0, err
	}
	return counterIn(b), nil
}

func counterIn(information []byte) uint16 {
	return uint16(information[18])<<8 | uint16(information[19])
}

// getData reads one of the card's data objects 01xx.
func getData(p2 byte, le int) apdu.Command {
	return apdu.Command{INS: 0xCA, P1: 0x01, P2: p2, Le: le}
}

// putData writes one.
func putData(p2 byte, data []byte) apdu.Command {
	return apdu.Command{INS: 0xDA, P1: 0x01, P2: p2, Data: data}
}

// synced notes the change counter after our own writes. They are done, even if
// the card does not tell it: then all is read again before it is used.
func (a *app) synced(ctx context.Context) error {
	counter, err := a.readCounter(ctx)
	if refused(err) {
		a.haveState = false
		return nil
	}
	if err != nil {
		return err
	}
	a.counter = counter
	return nil
}

// readState reads what says where everything is: EF.ODF, EF.TokenInfo and the
// PINs. On a blank card there is none of it.
func (a *app) readState(ctx context.Context) error {
	a.odf, a.info, a.pins, a.aodf, a.dirs = nil, tokenInfo{}, nil, nil, nil
	a.sides = [2]*sideFile{}
	a.haveState = true
	b, _, err := a.readFile(ctx, a.file(fidODF), complete)
	switch {
	case errors.Is(err, swNotFound):
		return nil
	case err != nil:
		return err
	}
	a.odf = parseODF(b, a.df)
	if len(a.odf) == 0 {
		return nil
	}
	if err := a.readTokenInfo(ctx); err != nil {
		return err
	}
	return a.readPINs(ctx)
}

// initialised reports whether the card holds a token.
func (a *app) initialised() bool { return len(a.odf) > 0 }

// file is the path of a file in the application's directory.
func (a *app) file(fid uint16) []byte {
	return append(bytes.Clone(a.df), byte(fid>>8), byte(fid))
}

// odfEntry is one directory that EF.ODF names.
type odfEntry struct {
	kind tlv.Tag
	path path
}

// parseODF reads EF.ODF. What is not understood is left out, and each file
// counts once.
func parseODF(b, base []byte) (list []odfEntry) {
	es, _, _ := entries(b)
	seen := map[string]bool{}
	for _, raw := range es {
		n, err := one(raw)
		if err != nil || len(n.Children) == 0 {
			continue
		}
		p, err := parsePath(n.Children[0], base)
		if err != nil || seen[string(p.file)] || len(p.file) == 0 {
			continue
		}
		seen[string(p.file)] = true
		list = append(list, odfEntry{n.Tag, p})
	}
	return list
}

// tokenInfo is EF.TokenInfo.
type tokenInfo struct {
	label        string
	manufacturer string
	serial       []byte
	flags        bits
	algorithms   []algorithm
}

// algorithm is an AlgorithmInfo: a number that entries refer to.
type algorithm struct{ ref, mechanism int }

// Bits of TokenFlags.
const (
	flagReadonly      = 0
	flagLoginRequired = 1
	flagPRN           = 2
)

func (a *app) readTokenInfo(ctx context.Context) error {
	b, _, err := a.readFile(ctx, a.file(fidTokenInfo), complete)
	if err != nil {
		if errors.Is(err, swNotFound) {
			return nil
		}
		return err
	}
	a.info = parseTokenInfo(b)
	return nil
}

func parseTokenInfo(b []byte) (t tokenInfo) {
	e, _, err := tlv.Next(b)
	if err != nil {
		return t
	}
	info, err := one(e.Raw)
	if err != nil {
		return t
	}
	for _, n := range info.Children {
		switch n.Tag {
		case tagOctets:
			t.serial = n.Value
		case tagUTF8:
			t.manufacturer = text(n.Value)
		case tagPrim0:
			t.label = text(n.Value)
		case tagBits:
			t.flags, _ = parseBits(n.Value)
		case tagContext + 2:
			t.algorithms = parseAlgorithms(n.Children)
		}
	}
	return t
}

func parseAlgorithms(ns []tlv.Node) (list []algorithm) {
	for _, n := range ns {
		if len(n.Children) < 2 {
			continue
		}
		ref, ok1 := unsigned(n.Children[0].Value)
		mech, ok2 := unsigned(n.Children[1].Value)
		if ok1 && ok2 {
			list = append(list, algorithm{ref, mech})
		}
	}
	return list
}

// text makes valid UTF-8 without control characters of what a card says.
func text(b []byte) string {
	s := strings.ToValidUTF8(string(b), "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
	return strings.TrimRight(s, " ")
}

// der writes EF.TokenInfo.
func (t tokenInfo) der(now time.Time) []byte {
	var algs []byte
	for _, a := range aesAlgorithms {
		algs = append(algs, a...)
	}
	return tlv.New(tagSeq,
		derInt(tagInt, 0),
		tlv.New(tagOctets, t.serial),
		tlv.New(tagUTF8, []byte(t.manufacturer)),
		tlv.New(tagPrim0, []byte(t.label)),
		t.flags.der(),
		tlv.New(tagContext+2, algs),
		tlv.New(tagContext+5, tlv.New(tagTime, []byte(now.UTC().Format("20060102150405Z")))))
}

// kindBy returns the first directory of a kind that the ODF names.
func (a *app) dirsOf(kind tlv.Tag) (list []*dirFile) {
	for _, d := range a.dirs {
		if d.kind == kind {
			list = append(list, d)
		}
	}
	return list
}

// writable refuses what a read-only token does not take.
func (a *app) writable() error {
	if a.info.flags.has(flagReadonly) {
		return ckr.New(ckr.TokenWriteProtected, "", nil)
	}
	return nil
}
