package piv

import (
	"bytes"
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// verifyOnPad has the PIN entered on the reader (PC/SC part 10 §2.5.2).
func (a *app) verifyOnPad(ctx context.Context) error {
	cmd := apdu.Command{INS: insVerify, P2: a.pinRef, Data: bytes.Repeat([]byte{pinPad}, pinBlock)}
	return a.onPad(ctx, apdu.PINBlock{Command: cmd}, apdu.PINPad.Verify)
}

// changeOnPad has the old and the new PIN entered on the reader (PC/SC part 10
// §2.5.3).
func (a *app) changeOnPad(ctx context.Context) error {
	cmd := apdu.Command{INS: insChange, P2: a.pinRef, Data: bytes.Repeat([]byte{pinPad}, 2*pinBlock)}
	return a.onPad(ctx, apdu.PINBlock{Command: cmd, OldAndNew: true, NewOffset: pinBlock}, apdu.PINPad.Modify)
}

// onPad makes one entry and judges it.
func (a *app) onPad(ctx context.Context, entry apdu.PINBlock,
	enter func(apdu.PINPad, context.Context, apdu.PINBlock) (apdu.Status, error)) error {
	entry.Min, entry.Max, entry.BlockSize, entry.RetryHints = minPIN, pinBlock, pinBlock, true
	sw, err := driver.EnterOnPad(ctx, a.conn, aid, entry, enter)
	if err != nil {
		return err
	}
	if sw == apdu.OK {
		return a.judge(nil, &a.userTries)
	}
	return a.judge(sw, &a.userTries)
}
