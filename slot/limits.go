package slot

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// readLimits reads how long the APDUs of a card may be, from EF.ATR/INFO (ISO
// 7816-4 §12.2.2). It is asked for only where reader and card could exchange
// more than short ones and the card says that it is told there: most cards have
// no such file. Only an error of the link is one.
func readLimits(ctx context.Context, conn *apdu.Conn) error {
	caps := conn.Capabilities()
	info := conn.Info()
	if !caps.Extended || !caps.TellsLengths || info.Protocol == apdu.T0 || info.MaxCommand == 0 || caps.MaxCommand != 0 {
		return nil
	}
	err := conn.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
		content, err := readATRFile(ctx, tx)
		if err != nil {
			return err
		}
		if known, err := caps.WithLengths(content); err == nil {
			conn.SetCapabilities(known)
		}
		return nil
	})
	var sw apdu.Status
	if errors.As(err, &sw) {
		return nil // the card has none
	}
	return err
}

// readATRFile reads what fits into one short answer: more is not needed.
func readATRFile(ctx context.Context, tx *apdu.Tx) ([]byte, error) {
	// By path from the master file, which most cards do not mind to be asked
	// for; without a description.
	selectFile := apdu.Command{INS: 0xA4, P1: 0x08, P2: 0x0C, Data: []byte{0x2F, 0x01}}
	if _, err := tx.Do(ctx, selectFile); err != nil {
		return nil, err
	}
	content, err := tx.Do(ctx, apdu.Command{INS: 0xB0, Le: apdu.MaxShortLe})
	var sw apdu.Status
	if errors.As(err, &sw) && sw.SW1() == 0x62 {
		err = nil // the file ended earlier
	}
	return content, err
}
