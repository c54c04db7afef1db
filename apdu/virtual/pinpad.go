package virtual

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// PINPad is the keys of a reader, and the person before it. PINs that are
// typed there never reach the program that asked for them.
type PINPad struct {
	// Type returns what the person types when they are asked. The error may
	// be ErrCancelKey or ErrNoKey. It must not use the reader's card.
	Type func(ctx context.Context, p Prompt) (string, error)
}

// Prompt is what a reader with keys asks for.
type Prompt int

// The prompts there are.
const (
	PresentPIN Prompt = iota // the PIN as it is now
	NewPIN
	NewPINAgain
)

// What a person may do other than type a PIN.
var (
	// ErrCancelKey says that the person pressed the cancel key.
	ErrCancelKey = errors.New("PIN entry cancelled")
	// ErrNoKey says that the person let the reader's time run out.
	ErrNoKey = errors.New("PIN entry took too long")
)

// Answers of the reader itself, PC/SC part 10 §2.5.
const (
	swTimeout   apdu.Status = 0x6400
	swCancelled apdu.Status = 0x6401
	swDiffer    apdu.Status = 0x6402
	swLength    apdu.Status = 0x6403
	swStructure apdu.Status = 0x6B80
)

// padTransport is a connection through a reader with keys.
type padTransport struct{ *transport }

var _ apdu.PINPad = padTransport{}

// Verify has a PIN typed and sent to the card in the block's command.
func (t padTransport) Verify(ctx context.Context, b apdu.PINBlock) (apdu.Status, error) {
	return t.enter(ctx, b, []entry{{PresentPIN, b.Offset}})
}

// Modify has a new PIN typed twice, after the old one if the block says so, and
// sent to the card.
func (t padTransport) Modify(ctx context.Context, b apdu.PINBlock) (apdu.Status, error) {
	entries := []entry{{NewPIN, b.NewOffset}, {NewPINAgain, b.NewOffset}}
	if b.OldAndNew {
		entries = append([]entry{{PresentPIN, b.Offset}}, entries...)
	}
	return t.enter(ctx, b, entries)
}

// entry is a PIN to be typed and its place in the command's data.
type entry struct {
	prompt Prompt
	offset int
}

func (t padTransport) enter(ctx context.Context, b apdu.PINBlock, entries []entry) (apdu.Status, error) {
	cmd := b.Command
	cmd.Data = bytes.Clone(cmd.Data)
	defer clear(cmd.Data)
	last := ""
	for _, e := range entries {
		if e.offset < 0 || b.BlockSize < 1 || e.offset+b.BlockSize > len(cmd.Data) {
			return swStructure, nil
		}
		pin, err := t.link.slot.pad.Type(ctx, e.prompt)
		switch {
		case errors.Is(err, ErrCancelKey):
			return swCancelled, nil
		case errors.Is(err, ErrNoKey):
			return swTimeout, nil
		case err != nil:
			return 0, t.wrap(err)
		case len(pin) < b.Min || len(pin) > min(b.Max, b.BlockSize):
			return swLength, nil
		case e.prompt == NewPINAgain && pin != last:
			return swDiffer, nil
		}
		last = pin
		copy(cmd.Data[e.offset:], pin)
	}
	return t.send(ctx, cmd)
}

func (t padTransport) send(ctx context.Context, cmd apdu.Command) (apdu.Status, error) {
	command, err := cmd.AppendShort(nil)
	if err != nil {
		return 0, t.wrap(err)
	}
	defer clear(command)
	response, err := t.Transmit(ctx, command)
	if err != nil {
		return 0, err
	}
	if len(response) != 2 {
		return 0, t.wrap(fmt.Errorf("%w: PIN command answered %d bytes", apdu.ErrLink, len(response)))
	}
	return apdu.Status(response[0])<<8 | apdu.Status(response[1]), nil
}
