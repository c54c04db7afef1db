package main

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// known are applications that are asked for by name, as many cards have no
// directory of theirs.
var known = []struct{ name, aid string }{
	{"PKCS #15", "A000000063504B43532D3135"},
	{"PIV", "A000000308000010000100"},
	{"OpenPGP", "D27600012401"},
	{"SmartCard-HSM", "E82B0601040181C31F0201"},
	{"IsoApplet", "F276A288BCFBA69D34F31001"},
	{"FIDO", "A0000006472F0001"},
	{"OATH", "A0000005272101"},
}

// applications lists the applications that the card's directory names, and
// those that answer to their name.
func applications(ctx context.Context, p *printer, conn *apdu.Conn) {
	p.line("applications")
	p.in(func() {
		directory(ctx, p, conn)
		for _, a := range known {
			aid, err := hex.DecodeString(a.aid)
			if err != nil {
				p.line("%v", err)
				continue
			}
			err = conn.Exclusive(ctx, aid, func(context.Context, *apdu.Tx) error { return nil })
			var refused apdu.Status
			switch {
			case err == nil:
				p.line("%s (%X)", a.name, aid)
			case !errors.As(err, &refused):
				p.line("%s: %v", a.name, err)
				return
			}
		}
	})
}

// Tags of EF.DIR (ISO 7816-4 §12.2.1).
const (
	tagTemplate tlv.Tag = 0x61
	tagAID      tlv.Tag = 0x4F
	tagLabel    tlv.Tag = 0x50
)

// directory prints EF.DIR, which most cards do not have.
func directory(ctx context.Context, p *printer, conn *apdu.Conn) {
	err := conn.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
		if _, err := tx.Do(ctx, apdu.Command{INS: 0xA4, P1: 0x08, P2: 0x0C, Data: []byte{0x2F, 0x00}}); err != nil {
			return err
		}
		content, err := tx.Do(ctx, apdu.Command{INS: 0xB0, Le: apdu.MaxShortLe})
		if len(content) > 0 {
			entries(p, content)
		}
		return err
	})
	var refused apdu.Status
	if err != nil && !errors.As(err, &refused) {
		p.line("directory: %v", err)
	}
}

func entries(p *printer, content []byte) {
	for e, err := range tlv.Parse(content) {
		if err != nil || e.Tag != tagTemplate {
			return // the rest of the file is empty
		}
		aid, _ := tlv.Find(e.Value, tagAID)
		label, _ := tlv.Find(e.Value, tagLabel)
		p.line("in the directory: %X %q", aid, printable(label))
	}
}
