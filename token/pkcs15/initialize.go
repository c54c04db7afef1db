package pkcs15

import (
	"context"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/token"
)

// PINs of a card that Initialize makes: the numbers that pkcs15-init gives
// them.
const (
	refUser = 1
	refSO   = 3

	triesPIN = 3
	triesPUK = 10

	// The SO's PIN is the card's administrator, who may set the user's.
	pinFlagAdmin    = 0x20
	pinFlagByAdmin  = 0x10
	sizeDir         = 2040 // eight writes of 255 bytes
	sizeSmall       = 255
	sizeEFDIR       = 128
	noticeOfProfile = "\x01\x06pkcs15"
)

var (
	idUser = []byte{0x01}
	idSO   = []byte{0xFF}
)

// plannedFile is a file of a new token. Writing asks for the PIN in update:
// 0 is nobody's, where PKCS #11 lets sessions write before login.
type plannedFile struct {
	fid    uint16
	kind   tlv.Tag // of the directory, 0 for others
	size   int
	update byte
}

// layout is the files of a new token in its directory, EF.ODF last: it makes
// the token.
var layout = []plannedFile{
	{fidPrKDF, dirPrivate, sizeDir, refUser},
	{fidPuKDF, dirPublic, sizeDir, 0},
	{fidSKDF, dirSecret, sizeDir, refUser},
	{fidCDF, dirCerts, sizeDir, 0},
	{fidDODF, dirData, sizeDir, 0},
	{fidDODFUser, dirData, sizeDir, refUser},
	{fidAODF, dirAuth, sizeSmall, refSO},
	{fidSide, 0, sizeDir, 0},
	{fidSideUser, 0, sizeDir, refUser},
	{fidInfo, 0, sizeEFDIR, refSO},
	{fidTokenInfo, 0, sizeSmall, refSO},
	{fidODF, 0, sizeSmall, refSO},
}

// Initialize makes the token anew. On a card with a token the SO PIN is
// verified first, and the card is wiped; until EF.ODF is written the card
// counts as blank, and a cut in between leaves it so.
func (b *backend) Initialize(ctx context.Context, so token.PIN, label string) error {
	a := b.app
	block, err := (&pin{pad: 0xFF}).block(so.Reveal())
	if err != nil {
		return err
	}
	defer clear(block)
	if !a.haveState {
		if err := a.readState(ctx); err != nil {
			return err
		}
	}
	if a.initialised() {
		if _, err := b.pinOf(token.SO); err != nil {
			return ckr.Newf(ckr.FunctionNotSupported, "", "the card has no security officer's PIN")
		}
		if err := b.Login(ctx, token.SO, so); err != nil {
			return err
		}
	}
	a.forget()
	if err := a.format(ctx, block, label); err != nil {
		return err
	}
	b.authID = idUser
	a.backends = []*backend{b}
	if err := a.synced(ctx); err != nil {
		return err
	}
	return a.readState(ctx)
}

// forget drops everything that was read of the card.
func (a *app) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.objects)
	clear(a.usedFIDs)
	a.odf, a.pins, a.aodf, a.dirs = nil, nil, nil, nil
	a.sides = [2]*sideFile{}
	a.haveState, a.hidden = false, false
}

// format wipes the card and writes an empty token. Before the last command,
// which puts the access conditions in force, the card takes new files and PINs
// from anybody.
func (a *app) format(ctx context.Context, so []byte, label string) error {
	// INITIALISE APPLET: new files and deletion at the MF are the SO's; in
	// the token's directory anybody makes files.
	init := []byte{0xFF, 0xFF, refSO<<4 | refSO, refSO<<4 | 0xF, 0xFF, refUser, refSO<<4 | 0xF, 0xFF}
	if _, err := a.do(ctx, putData(0xE0, init)); err != nil {
		return why("INITIALISE APPLET", err)
	}
	if err := a.setPINs(ctx, so); err != nil {
		return why("PUT DATA", err)
	}
	if err := a.writeFile(ctx, mf, plannedFile{0x2F00, 0, sizeEFDIR, refSO}, a.efDIR(label)); err != nil {
		return why("EF.DIR", err)
	}
	for _, f := range layout {
		if err := a.writeFile(ctx, a.df, f, a.firstContent(f, label)); err != nil {
			return err
		}
	}
	if err := a.selectDF(ctx); err != nil {
		return err
	}
	_, err := a.do(ctx, apdu.Command{INS: 0x44, P1: 0x04, Data: a.aid})
	return why("ACTIVATE", err)
}

// setPINs makes the SO's PIN, and a user PIN that nobody knows: the card takes
// new PINs only now, and the SO sets its value later. Their PUKs are nobody's,
// too.
func (a *app) setPINs(ctx context.Context, so []byte) error {
	for _, p := range []struct {
		ref, flags byte
		pin        []byte
	}{{refSO, pinFlagAdmin, so}, {refUser, pinFlagByAdmin, unguessable()}} {
		data := append([]byte(nil), p.pin...)
		data = append(data, unguessable()...)
		data = append(data, triesPIN, triesPUK, p.flags)
		_, err := a.do(ctx, putData(p.ref, data))
		clear(data)
		if err != nil {
			return err
		}
	}
	return nil
}

// writeFile makes a file and writes its first bytes.
func (a *app) writeFile(ctx context.Context, dir []byte, f plannedFile, content []byte) error {
	if _, err := a.do(ctx, selectCommand(dir, 0)); err != nil {
		return err
	}
	file := newFile{fid: f.fid, kind: kindEF, size: f.size, acl: acl{f.update, refSO<<4 | 0xF, 0xFF}}
	if err := a.create(ctx, file); err != nil {
		return err
	}
	path := append(append([]byte(nil), dir...), byte(f.fid>>8), byte(f.fid))
	if _, err := a.do(ctx, selectCommand(path, 0)); err != nil {
		return err
	}
	// The end is marked, whatever a new file holds.
	content = append(content, make([]byte, min(1, f.size-len(content)))...)
	if f.fid != fidODF {
		return a.write(ctx, nil, content)
	}
	// Its first byte makes the token, even if the card loses its power within
	// a command.
	if err := a.write(ctx, content[:1], content); err != nil {
		return err
	}
	return a.write(ctx, nil, content[:1])
}

func (a *app) firstContent(f plannedFile, label string) []byte {
	switch f.fid {
	case fidAODF:
		return append(pinObject("Security Officer PIN", idSO, refSO, 1<<pinInitialized|1<<pinPadded|1<<pinSO),
			pinObject("PIN", idUser, refUser, 1<<1|1<<pinPadded)...)
	case fidInfo:
		return []byte(noticeOfProfile)
	case fidTokenInfo:
		t := tokenInfo{
			label: label, manufacturer: "go-cryptoki", serial: a.card.serial,
			flags: bitsOf(false, true, true),
		}
		return t.der(time.Now())
	case fidODF:
		return a.firstODF()
	}
	return nil
}

// firstODF names the directories. GnuPG's scdaemon, as of version 2.4, never
// gets past a second directory of the same kind if its entry begins as it
// expects; with a longer form of the length it takes the card for one that it
// does not know, and all others read on.
func (a *app) firstODF() (odf []byte) {
	seen := make(map[tlv.Tag]bool)
	for _, d := range layout {
		if d.kind == 0 {
			continue
		}
		entry := tlv.New(d.kind, path{file: a.file(d.fid)}.der())
		if seen[d.kind] {
			entry = append([]byte{entry[0], 0x81}, entry[1:]...)
		}
		seen[d.kind] = true
		odf = append(odf, entry...)
	}
	return odf
}

// efDIR is EF.DIR: one application template (ISO 7816-4 §12.3.3).
func (a *app) efDIR(label string) []byte {
	return tlv.New(0x61, tlv.New(0x4F, a.aid), tlv.New(0x50, []byte(label)), tlv.New(0x51, a.df))
}

// pinObject is a PIN object of EF.AODF.
func pinObject(label string, id []byte, ref int, flags bits) []byte {
	attrs := tlv.New(tagSeq, flags.der(),
		derInt(tagEnum, 1), // ascii-numeric
		derInt(tagInt, 4), derInt(tagInt, pinBlock), derInt(tagInt, pinBlock),
		derInt(tagPrim0, ref), tlv.New(tagOctets, []byte{0xFF}))
	return tlv.New(tagSeq,
		tlv.New(tagSeq, tlv.New(tagUTF8, []byte(label)), bitsOf(true, true).der()),
		tlv.New(tagSeq, tlv.New(tagOctets, id)),
		tlv.New(tagContext+1, attrs))
}
