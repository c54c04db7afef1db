package pkcs15

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// Status words that mean something to the file layer.
const (
	swNotFound = apdu.Status(0x6A82)
	swExists   = apdu.Status(0x6A89)
	swShort    = apdu.Status(0x6282)
	swOffset   = apdu.Status(0x6B00)
	swSecurity = apdu.Status(0x6982)
	swUsage    = apdu.Status(0x6985)

	swWrongData = apdu.Status(0x6A80)
)

// Bounds of the cards' file system.
const (
	maxRead  = 255    // bytes of one READ BINARY that every card takes
	maxWrite = 255    // bytes of one UPDATE BINARY
	maxFile  = 0x7FFF // bytes of a file: offsets have 15 bits
)

// fileInfo is what a SELECT tells of a file (ISO 7816-4 table 10).
type fileInfo struct {
	size int // bytes; -1 if not told
	kind byte
	acl  acl
}

// acl is the access condition of a MyEID-compatible card: six nibbles, 0
// always, 1 to 14 that PIN, 15 never.
type acl [3]byte

// update is the condition for writing an EF. Of the others, the first byte has
// that for reading, and the second those for deleting and making a key.
func (a acl) update() byte { return a[0] & 15 }

func parseFCI(b []byte) fileInfo {
	f := fileInfo{size: -1}
	body, err := tlv.Find(b, 0x6F)
	if err != nil {
		if body, err = tlv.Find(b, 0x62); err != nil {
			return f
		}
	}
	for e, err := range tlv.Parse(body) {
		if err != nil {
			break
		}
		switch e.Tag {
		case 0x80, 0x81:
			if n, ok := unsigned(e.Value); ok {
				f.size = n
			}
		case 0x82:
			if len(e.Value) > 0 {
				f.kind = e.Value[0]
			}
		case 0x86:
			if len(e.Value) >= 3 {
				f.acl = acl(e.Value[:3])
			}
		}
	}
	return f
}

// do sends one command to the card, within the unit that ctx carries.
func (a *app) do(ctx context.Context, cmd apdu.Command) (resp []byte, err error) {
	err = a.conn.Exclusive(ctx, a.aid, func(ctx context.Context, tx *apdu.Tx) error {
		resp, err = tx.Do(ctx, cmd)
		return err
	})
	return resp, err
}

// selectFile selects a file by its path from the MF and returns what is told
// of it.
func (a *app) selectFile(ctx context.Context, file []byte) (fileInfo, error) {
	fci, err := a.do(ctx, selectCommand(file, 256))
	if err != nil {
		return fileInfo{}, fmt.Errorf("file %X: %w", file, err)
	}
	return parseFCI(fci), nil
}

// selectCommand selects a file; with no answer wanted, le is 0.
func selectCommand(file []byte, le int) apdu.Command {
	c := apdu.Command{INS: 0xA4, P1: 0x08, Data: file, Le: le}
	if le == 0 {
		c.P2 = 0x0C
	}
	if bytes.HasPrefix(file, mf) {
		c.Data = file[2:]
	}
	if len(c.Data) == 0 {
		c.P1, c.Data = 0x00, mf
	}
	return c
}

var mf = []byte{0x3F, 0x00}

// readFile reads a file from its beginning until enough says so, or to its
// end. What the card says of the size is believed as a bound only.
func (a *app) readFile(ctx context.Context, file []byte, enough func([]byte) bool) ([]byte, fileInfo, error) {
	info, err := a.selectFile(ctx, file)
	if err != nil {
		return nil, info, err
	}
	b, err := a.readSelected(ctx, info.size, enough)
	if err != nil {
		return nil, info, fmt.Errorf("file %X: %w", file, err)
	}
	return b, info, nil
}

func (a *app) readSelected(ctx context.Context, size int, enough func([]byte) bool) (b []byte, err error) {
	told := size > 0
	if size < 0 || size > maxFile {
		size = maxFile
	}
	for len(b) < size {
		want := min(a.maxRead(), size-len(b))
		part, err := a.do(ctx, apdu.Command{INS: 0xB0, P1: byte(len(b) >> 8), P2: byte(len(b)), Le: want})
		if len(part) > want {
			return nil, fmt.Errorf("READ BINARY: %d bytes for %d: %w", len(part), want, apdu.ErrLink)
		}
		b = append(b, part...)
		switch {
		case errors.Is(err, swShort), errors.Is(err, swOffset) && len(b) > 0:
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == 0 && told:
			return nil, fmt.Errorf("READ BINARY: nothing of %d bytes: %w", size, apdu.ErrLink)
		case len(part) < want:
			return b, nil
		case enough != nil && enough(b):
			return b, nil
		}
	}
	return b, nil
}

// write changes the selected file from old to new content, from its end to
// its beginning, so that what is new counts only with the last write; equal
// parts are not sent.
func (a *app) write(ctx context.Context, old, new []byte) error {
	from, to := changed(old, new)
	for to > from {
		at := max(from, to-maxWrite)
		_, err := a.do(ctx, apdu.Command{INS: 0xD6, P1: byte(at >> 8), P2: byte(at), Data: new[at:to]})
		if err != nil {
			return err
		}
		to = at
	}
	return nil
}

// changed returns the range of new that differs from old.
func changed(old, new []byte) (from, to int) {
	to = len(new)
	for from < to && from < len(old) && old[from] == new[from] {
		from++
	}
	if len(old) >= len(new) {
		for to > from && old[to-1] == new[to-1] {
			to--
		}
	}
	return from, to
}

// Types of files in CREATE FILE.
const (
	kindEF   = 0x01
	kindRSA  = 0x11
	kindDES  = 0x19
	kindEC   = 0x22
	kindAES  = 0x29
	kindDF   = 0x38
	sizeData = tlv.Tag(0x80)
	sizeBits = tlv.Tag(0x81)
)

// newFile describes a file to be made.
type newFile struct {
	fid  uint16
	kind byte
	size int // bytes of an EF, bits of a key
	acl  acl
	prop [2]byte
}

// create makes a file in the current DF; it becomes the current file.
func (a *app) create(ctx context.Context, f newFile) error {
	tag := sizeBits
	if f.kind == kindEF {
		tag = sizeData
	}
	fcp := tlv.New(0x62,
		tlv.New(tag, []byte{byte(f.size >> 8), byte(f.size)}),
		tlv.New(0x82, []byte{f.kind}),
		tlv.New(0x83, []byte{byte(f.fid >> 8), byte(f.fid)}),
		tlv.New(0x86, f.acl[:]),
		tlv.New(0x85, f.prop[:]),
		tlv.New(0x8A, []byte{0}))
	_, err := a.do(ctx, apdu.Command{INS: 0xE0, Data: fcp})
	return err
}

// deleteFile removes a file. Cards of the family take the proprietary class;
// some only the other.
func (a *app) deleteFile(ctx context.Context, file []byte) error {
	if _, err := a.do(ctx, selectCommand(file, 0)); err != nil {
		return err
	}
	_, err := a.do(ctx, apdu.Command{CLA: 0xA0, INS: 0xE4})
	if errors.Is(err, apdu.Status(0x6E00)) {
		_, err = a.do(ctx, apdu.Command{INS: 0xE4})
	}
	return err
}

// selectDF makes the PKCS#15 directory current again.
func (a *app) selectDF(ctx context.Context) error {
	_, err := a.do(ctx, selectCommand(a.df, 0))
	return err
}

// refused says whether the card answered with a status word, so that the
// command is known not to have been executed.
func refused(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw)
}

// why gives errors of the card the code that they have for the caller.
func why(op string, err error) error { return codes.Wrap(op, err) }

// maxRead is how many bytes one READ BINARY brings: a card before version 4
// has no whole 256.
func (a *app) maxRead() int {
	if a.card.version[0] >= 4 {
		return 256
	}
	return maxRead
}
