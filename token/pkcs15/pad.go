package pkcs15

import (
	"bytes"
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// errNoPad is for a reader whose keys are gone, or that never had any.
var errNoPad = ckr.Newf(ckr.ArgumentsBad, "", "the reader has no keys to enter a PIN")

// hasPad tells whether the reader has keys of its own. Nothing is sent.
func (a *app) hasPad(ctx context.Context) (has bool) {
	err := a.conn.Exclusive(ctx, nil, func(_ context.Context, tx *apdu.Tx) error {
		_, has = tx.PINPad()
		return nil
	})
	return has && err == nil
}

// verifyOnPad has the PIN entered on the reader (PC/SC part 10 §2.5.2).
func (b *backend) verifyOnPad(ctx context.Context, p *pin) error {
	cmd := apdu.Command{INS: 0x20, P2: p.ref, Data: p.empty(1)}
	return b.onPad(ctx, p, apdu.PINBlock{Command: cmd}, apdu.PINPad.Verify)
}

// changeOnPad has a new PIN entered on the reader, after the old one if that is
// needed (PC/SC part 10 §2.5.3).
func (b *backend) changeOnPad(ctx context.Context, p *pin, old bool) error {
	if err := b.app.writable(); err != nil {
		return err
	}
	block := apdu.PINBlock{Command: apdu.Command{INS: 0x24, P2: p.ref, Data: p.empty(1)}}
	if old {
		block.OldAndNew = true
		block.Command.Data = p.empty(2)
		block.NewOffset = pinBlock
	}
	if err := b.onPad(ctx, p, block, apdu.PINPad.Modify); err != nil {
		return err
	}
	return b.synced(ctx)
}

// empty is the data of a PIN command with n blocks to be filled in.
func (p *pin) empty(n int) []byte { return bytes.Repeat([]byte{p.pad}, n*pinBlock) }

// onPad makes one entry and judges it.
func (b *backend) onPad(ctx context.Context, p *pin, block apdu.PINBlock,
	enter func(apdu.PINPad, context.Context, apdu.PINBlock) (apdu.Status, error)) error {
	block.Min, block.Max, block.BlockSize = p.min, p.max, pinBlock
	block.RetryHints = true
	var sw apdu.Status
	err := b.app.conn.Exclusive(ctx, b.app.aid, func(ctx context.Context, tx *apdu.Tx) error {
		pad, ok := tx.PINPad()
		if !ok {
			return errNoPad
		}
		var err error
		sw, err = enter(pad, ctx, block)
		return err
	})
	if err != nil {
		return err
	}
	if refusal, ok := padRefusals[sw]; ok {
		return ckr.Newf(refusal.code, "", "PIN entry on the reader: %s (%04X)", refusal.why, uint16(sw))
	}
	if sw == 0x9000 {
		return b.app.judge(ctx, p, nil)
	}
	return b.app.judge(ctx, p, sw)
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
