package piv

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// oneObject is a card of which one data object, or the answer to one of
// Yubico's commands, is anything at all. It has nothing else.
type oneObject struct {
	tag    uint32 // of the data object, or the instruction byte of a command
	raw    []byte
	yubico bool
	rest   []byte // of a long answer
	sent   int
}

func (c *oneObject) Info() apdu.Info {
	atr := []byte("\x3B\xDB\x96\x02\x81\x31\xFE\x65\x80\x73\x00\x21\x80\x53PIV")
	if c.yubico {
		atr = []byte("\x3B\xFD\x13\x00\x00\x81\x31\xFE\x15\x80\x73\xC0\x21\xC0\x57YubiKey\x40")
	}
	return apdu.Info{Reader: "fuzz", ATR: atr, Protocol: apdu.T1}
}

func (c *oneObject) Close() error { return nil }

func (c *oneObject) Transmit(_ context.Context, command []byte) ([]byte, error) {
	c.sent++
	cmd, err := apdu.ParseCommand(command)
	if err != nil {
		return []byte{0x67, 0x00}, nil
	}
	switch cmd.INS {
	case 0xA4, insVerify:
		return []byte{0x90, 0x00}, nil
	case 0xC0:
		return c.part(cmd.Le), nil
	case insGetData:
		if tag, err := tlv.Find(cmd.Data, 0x5C); err == nil && len(tag) <= 4 && c.tag == binary.BigEndian.Uint32(append(make([]byte, 4-len(tag)), tag...)) {
			c.rest = bytes.Clone(c.raw)
			return c.part(cmd.Le), nil
		}
		return []byte{0x6A, 0x82}, nil
	case insVersion:
		if c.yubico && c.tag != insVersion {
			return []byte{5, 7, 1, 0x90, 0x00}, nil
		}
	}
	if c.yubico && c.tag == uint32(cmd.INS) {
		c.rest = bytes.Clone(c.raw)
		return c.part(cmd.Le), nil
	}
	return []byte{0x6A, 0x88}, nil
}

// part answers as much as is asked for, and announces the rest.
func (c *oneObject) part(le int) []byte {
	n := min(max(le, 1), len(c.rest), 256)
	answer := bytes.Clone(c.rest[:n])
	c.rest = c.rest[n:]
	if len(c.rest) > 0 {
		return append(answer, 0x61, byte(min(len(c.rest), 256)))
	}
	return append(answer, 0x90, 0x00)
}

// FuzzObject has the driver list and read a card of which one object is
// anything: it may not panic, it ends, and its errors have codes.
func FuzzObject(f *testing.F) {
	cert := tlv.New(0x53, tlv.New(tagCertificate, []byte{0x30, 0x03, 0x02, 0x01, 0x00}), tlv.New(tagCertInfo, []byte{0}), tlv.New(tagErrorCode))
	for tag, raw := range map[uint32][]byte{
		0x5FC105:     cert,
		0x5FC10A:     tlv.New(0x53, tlv.New(tagCertificate, []byte{0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0}), tlv.New(tagCertInfo, []byte{compressed}), tlv.New(tagErrorCode)),
		0x5FC10D:     cert,
		tagCHUID:     tlv.New(0x53, tlv.New(0x30, make([]byte, 25)), tlv.New(0x34, bytes.Repeat([]byte{7}, 16)), tlv.New(0x35, []byte("20301231")), tlv.New(tagErrorCode)),
		tagHistory:   tlv.New(0x53, tlv.New(0xC1, []byte{20}), tlv.New(0xC2, []byte{0}), tlv.New(0xF3, []byte("http://example.com")), tlv.New(tagErrorCode)),
		tagDiscovery: tlv.New(tagDiscovery, tlv.New(0x4F, aid), tlv.New(0x5F2F, []byte{0x60, 0x20})),
		tagAdmin:     tlv.New(0x53, tlv.New(tagNotes, tlv.New(tagNoteFlags, []byte{noteKept}), tlv.New(tagNoteSalt, make([]byte, saltLength)))),
		insMetadata:  append(tlv.New(0x01, []byte{algP256}), append(tlv.New(0x02, []byte{2, 1}), tlv.New(0x04, tlv.New(0x86, make([]byte, 65)))...)...),
		insAttest:    {0x30, 0x82, 0x01, 0x00},
		insSerial:    {1, 2, 3, 4},
		insVersion:   {5, 2, 4},
		0x5FC103:     tlv.New(0x53, tlv.New(0xBC, make([]byte, 300))),
	} {
		for _, yubico := range []bool{false, true} {
			f.Add(tag, raw, yubico)
		}
	}
	f.Fuzz(func(t *testing.T, tag uint32, raw []byte, yubico bool) {
		if len(raw) > 1<<16 {
			return
		}
		card := &oneObject{tag: tag, raw: raw, yubico: yubico}
		conn := apdu.NewConn(card)
		defer conn.Close()
		found, err := probe(t.Context(), conn)
		coded(t, err)
		for _, b := range found {
			readAll(t, b.(*backend))
		}
		if card.sent > 5000 {
			t.Errorf("%d commands for an object of %d bytes", card.sent, len(raw))
		}
	})
}

// readAll reads what a backend lists.
func readAll(t *testing.T, b *backend) {
	ctx := t.Context()
	_, err := b.Info(ctx)
	coded(t, err)
	records, err := b.Objects(ctx, true)
	coded(t, err)
	for _, r := range records {
		there, err := b.Confirm(ctx, r.Ref)
		coded(t, err)
		if err != nil {
			continue
		}
		all, err := b.Read(ctx, there.Ref)
		coded(t, err)
		if label, _ := object.In(all, object.AttrLabel); err == nil && label == "" {
			t.Errorf("%s has no label", r.Ref)
		}
		b.Mechanisms(r.Ref)
	}
}

// coded checks that an error has a code, or is the card's or the link's.
func coded(t *testing.T, err error) {
	t.Helper()
	var e *ckr.Error
	var sw apdu.Status
	var parse *tlv.Error
	switch {
	case err == nil, errors.As(err, &e), errors.As(err, &sw), errors.As(err, &parse), errors.Is(err, apdu.ErrLink):
		return
	}
	t.Errorf("%T: %v", err, err)
}

// A certificate that can be read is told as it is.
func FuzzCertificate(f *testing.F) {
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, der []byte) {
		view := certificateView(der)
		if c, err := x509.ParseCertificate(der); err == nil && view != nil {
			if subject, ok := object.In(view, object.AttrSubject); ok && !bytes.Equal(subject, c.RawSubject) {
				t.Errorf("subject %X, not %X", subject, c.RawSubject)
			}
		}
		for _, packed := range [][]byte{wrapCertificate(der, 100), wrapCertificate(der, 1<<20)} {
			raw := tlv.New(0x53, packed)
			got, err := unwrapCertificate(raw)
			if whole := sequence(der); len(whole) == len(der) && len(der) > 0 && len(der) < maxCertificate && (err != nil || !bytes.Equal(got, der)) {
				t.Errorf("%X comes back as %X, %v", der, got, err)
			}
		}
	})
}
