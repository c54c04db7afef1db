package piv

import (
	"bytes"
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// hasPad tells whether the reader has keys of its own. Nothing is sent.
func (a *app) hasPad(ctx context.Context) (has bool) {
	err := a.conn.Exclusive(ctx, nil, func(_ context.Context, tx *apdu.Tx) error {
		_, has = tx.PINPad()
		return nil
	})
	return has && err == nil
}

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
	var sw apdu.Status
	err := a.conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error {
		pad, ok := tx.PINPad()
		if !ok {
			return ckr.Newf(ckr.ArgumentsBad, "", "the reader has no keys to enter a PIN")
		}
		var err error
		sw, err = enter(pad, ctx, entry)
		return err
	})
	if err != nil {
		return err
	}
	if refusal, ok := padRefusals[sw]; ok {
		return ckr.Newf(refusal.code, "", "PIN entry on the reader: %s (%v)", refusal.why, sw)
	}
	if sw == apdu.OK {
		return a.judge(nil, &a.userTries)
	}
	return a.judge(sw, &a.userTries)
}

// padRefusals are the answers of the reader itself, PC/SC part 10 §2.5.
var padRefusals = map[apdu.Status]struct {
	code ckr.Code
	why  string
}{
	0x6400: {ckr.FunctionCanceled, "nothing was entered in time"},
	0x6401: {ckr.FunctionCanceled, "cancelled"},
	0x6402: {ckr.PINInvalid, "the new PINs differ"},
	0x6403: {ckr.PINLenRange, "too short or too long"},
	0x6B80: {ckr.DeviceError, "the reader does not take the request"},
}
