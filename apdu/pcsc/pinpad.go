package pcsc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// padTransport is a connection through a reader with keys of its own.
type padTransport struct{ *transport }

var _ apdu.PINPad = padTransport{}

// Verify lets a person enter a PIN. It does not return before they have, or the
// reader's time is over.
func (t padTransport) Verify(ctx context.Context, b apdu.PINBlock) (apdu.Status, error) {
	return t.enter(ctx, t.pad.verify, b, verifyPIN)
}

// Modify lets a person enter a new PIN, and the old one if asked for. The error
// wraps winscard.UnsupportedFeature if the reader cannot.
func (t padTransport) Modify(ctx context.Context, b apdu.PINBlock) (apdu.Status, error) {
	return t.enter(ctx, t.pad.modify, b, modifyPIN)
}

func (t padTransport) enter(ctx context.Context, code uint32, b apdu.PINBlock, encode func(features, apdu.PINBlock) ([]byte, error)) (apdu.Status, error) {
	if err := t.ready(ctx); err != nil {
		return 0, err
	}
	if code == 0 {
		return 0, t.wrap(winscard.UnsupportedFeature)
	}
	request, err := encode(t.pad, b)
	if err != nil {
		return 0, t.wrap(err)
	}
	answer, err := t.card.Control(code, request)
	switch {
	case err != nil:
		return 0, t.failed(ctx, err)
	case len(answer) != 2:
		return 0, t.wrap(fmt.Errorf("%w: PIN entry answered %d bytes", apdu.ErrLink, len(answer)))
	}
	return apdu.Status(binary.BigEndian.Uint16(answer)), nil
}

// What is asked of the reader, PC/SC part 10 §2.5.2 and §2.5.3.
const (
	entryTime     = 30   // seconds, for the first key and for each next
	formatASCII   = 0x82 // units are bytes; a byte a digit
	lengthInBytes = 0x10
	confirmedByOK = 0x02
	confirmNew    = 0x01
	askOld        = 0x02
	english       = 0x0409
	noMessages    = 0xFF // as many as the reader wants
	dataOfCommand = 5    // bytes before the data of a short command
	maxBlockSize  = 15   // a nibble
)

var errBlock = errors.New("a PIN block that readers cannot fill")

// formatOf is bmFormatString: where the PIN begins after the header, in bytes.
func formatOf(offset int) (byte, error) {
	if offset < 0 || offset > 15 {
		return 0, errBlock
	}
	return formatASCII | byte(offset)<<3, nil
}

// limitsOf is wPINMaxExtraDigit: the longest and the shortest PIN, within what
// the reader's keys take.
func limitsOf(f features, b apdu.PINBlock) (lo, hi byte, err error) {
	low, high := b.Min, b.Max
	if high <= 0 || high > b.BlockSize {
		high = b.BlockSize
	}
	if f.maxPIN > 0 {
		high = min(high, f.maxPIN)
	}
	low = max(low, f.minPIN, 0)
	if low > high || b.BlockSize < 1 || b.BlockSize > maxBlockSize {
		return 0, 0, errBlock
	}
	return byte(low), byte(high), nil
}

// verifyPIN encodes PIN_VERIFY_STRUCTURE. Numbers of several bytes have the
// machine's byte order.
func verifyPIN(f features, b apdu.PINBlock) ([]byte, error) {
	lo, hi, err := limitsOf(f, b)
	if err != nil {
		return nil, err
	}
	format, err := formatOf(b.Offset)
	if err != nil {
		return nil, err
	}
	out := []byte{entryTime, entryTime, format, byte(b.BlockSize), lengthInBytes}
	out = binary.NativeEndian.AppendUint16(out, uint16(lo)<<8|uint16(hi))
	out = append(out, confirmedByOK, messages(b, 1))
	out = binary.NativeEndian.AppendUint16(out, english)
	out = append(out, 0, 0, 0, 0)
	return withCommand(out, b.Command)
}

// modifyPIN encodes PIN_MODIFY_STRUCTURE.
func modifyPIN(f features, b apdu.PINBlock) ([]byte, error) {
	lo, hi, err := limitsOf(f, b)
	if err != nil {
		return nil, err
	}
	if b.Offset < 0 || b.NewOffset < 0 || b.Offset > 255 || b.NewOffset > 255 {
		return nil, errBlock
	}
	confirm, prompts := byte(confirmNew), byte(2)
	if b.OldAndNew {
		confirm, prompts = confirmNew|askOld, 3
	}
	out := []byte{entryTime, entryTime, formatASCII, byte(b.BlockSize), lengthInBytes, byte(b.Offset), byte(b.NewOffset)}
	out = binary.NativeEndian.AppendUint16(out, uint16(lo)<<8|uint16(hi))
	out = append(out, confirm, confirmedByOK, messages(b, prompts))
	out = binary.NativeEndian.AppendUint16(out, english)
	first := byte(0) // the message for the old PIN; that for the new one is 1
	if !b.OldAndNew {
		first = 1
	}
	out = append(out, first, first+1, 2, 0, 0, 0)
	return withCommand(out, b.Command)
}

// messages is bNumberMessage.
func messages(b apdu.PINBlock, n byte) byte {
	if b.RetryHints {
		return n
	}
	return noMessages
}

// withCommand adds the command in which the reader puts the PIN.
func withCommand(out []byte, c apdu.Command) ([]byte, error) {
	c.Le = 0
	command, err := c.AppendShort(nil)
	if err != nil {
		return nil, err
	}
	if len(command) < dataOfCommand {
		return nil, errBlock
	}
	out = binary.NativeEndian.AppendUint32(out, uint32(len(command)))
	return append(out, command...), nil
}
