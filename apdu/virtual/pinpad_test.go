package virtual_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// typist types one line after the other.
func typist(lines ...any) *virtual.PINPad {
	return &virtual.PINPad{Type: func(context.Context, virtual.Prompt) (string, error) {
		if len(lines) == 0 {
			return "", errors.New("nobody types any more")
		}
		line := lines[0]
		lines = lines[1:]
		if err, ok := line.(error); ok {
			return "", err
		}
		return line.(string), nil
	}}
}

func TestReadersWithKeysPutThePINIntoTheCommand(t *testing.T) {
	var seen []byte
	block := apdu.PINBlock{
		Command: apdu.Command{INS: 0x20, P2: 1, Data: bytes.Repeat([]byte{0xFF}, 8)}, Min: 4, Max: 8, BlockSize: 8,
	}
	both := block
	both.Command = apdu.Command{INS: 0x24, P2: 1, Data: bytes.Repeat([]byte{0xFF}, 16)}
	both.OldAndNew, both.NewOffset = true, 8
	outside := block
	outside.Offset = 1
	for _, test := range []struct {
		name   string
		lines  []any
		block  apdu.PINBlock
		modify bool
		want   apdu.Status
		sent   string
	}{
		{"a PIN", []any{"1234"}, block, false, 0x9000, "1234\xFF\xFF\xFF\xFF"},
		{"the longest PIN", []any{"12345678"}, block, false, 0x9000, "12345678"},
		{"too short", []any{"123"}, block, false, 0x6403, ""},
		{"too long", []any{"123456789"}, block, false, 0x6403, ""},
		{"cancelled", []any{virtual.ErrCancelKey}, block, false, 0x6401, ""},
		{"too late", []any{virtual.ErrNoKey}, block, false, 0x6400, ""},
		{"no room", []any{"1234"}, outside, false, 0x6B80, ""},
		{"old and new", []any{"1234", "5678", "5678"}, both, true, 0x9000, "1234\xFF\xFF\xFF\xFF5678\xFF\xFF\xFF\xFF"},
		{"new only", []any{"5678", "5678"}, block, true, 0x9000, "5678\xFF\xFF\xFF\xFF"},
		{"not the same again", []any{"1234", "5678", "5679"}, both, true, 0x6402, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			seen = nil
			card := virtual.New(virtual.Faults(func(_ int, command []byte) virtual.Fault {
				seen = bytes.Clone(command[5:])
				return virtual.Fault{Kind: virtual.Refuse, Answer: []byte{0x90, 0x00}}
			}))
			p := virtual.NewProvider(virtual.Reader{Name: "Keys", Card: card, Pad: typist(test.lines...)})
			tr, err := p.Connect(t.Context(), "Keys")
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			enter := tr.(apdu.PINPad).Verify
			if test.modify {
				enter = tr.(apdu.PINPad).Modify
			}
			sw, err := enter(t.Context(), test.block)
			if err != nil || sw != test.want || string(seen) != test.sent {
				t.Errorf("%v, %v, sent %q", sw, err, seen)
			}
		})
	}
}

func TestReadersWithoutKeysHaveNone(t *testing.T) {
	p := virtual.NewProvider(virtual.Reader{Name: "R", Card: virtual.New()})
	tr, err := p.Connect(t.Context(), "R")
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, ok := tr.(apdu.PINPad); ok {
		t.Error("keys from nowhere")
	}
}
