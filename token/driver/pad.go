package driver

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// HasPad tells whether the reader of a card has keys of its own. Nothing is
// sent.
func HasPad(ctx context.Context, conn *apdu.Conn) (has bool) {
	err := conn.Exclusive(ctx, nil, func(_ context.Context, tx *apdu.Tx) error {
		_, has = tx.PINPad()
		return nil
	})
	return has && err == nil
}

// EnterOnPad has a PIN entered on the reader, for the application aid: enter is
// apdu.PINPad.Verify or apdu.PINPad.Modify. It returns the card's answer, and
// as an error what the reader itself answers (PC/SC part 10 §2.5):
// ckr.FunctionCanceled, ckr.PINInvalid if two new PINs differ,
// ckr.PINLenRange, ckr.ArgumentsBad if the reader has no keys.
func EnterOnPad(ctx context.Context, conn *apdu.Conn, aid []byte, block apdu.PINBlock,
	enter func(apdu.PINPad, context.Context, apdu.PINBlock) (apdu.Status, error)) (sw apdu.Status, err error) {
	err = conn.Exclusive(ctx, aid, func(ctx context.Context, tx *apdu.Tx) error {
		pad, ok := tx.PINPad()
		if !ok {
			return ckr.Newf(ckr.ArgumentsBad, "", "the reader has no keys to enter a PIN")
		}
		var err error
		sw, err = enter(pad, ctx, block)
		return err
	})
	if err != nil {
		return 0, err
	}
	if refusal, ok := padRefusals[sw]; ok {
		return 0, ckr.Newf(refusal.code, "", "PIN entry on the reader: %s (%04X)", refusal.why, uint16(sw))
	}
	return sw, nil
}

// padRefusals are the answers of the reader itself.
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
