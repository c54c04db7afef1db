package pkcs15

import (
	"bytes"
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

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
	sw, err := driver.EnterOnPad(ctx, b.app.conn, b.app.aid, block, enter)
	if err != nil {
		return err
	}
	if sw == apdu.OK {
		return b.app.judge(ctx, p, nil)
	}
	return b.app.judge(ctx, p, sw)
}
