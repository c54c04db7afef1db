package apdu

import "context"

// PINBlock describes a PIN entry on the reader itself (PC/SC part 10).
type PINBlock struct {
	Command    Command // template: the PIN's place filled with padding
	Min, Max   int     // length of the PIN, in characters
	BlockSize  int     // bytes of one PIN in Command.Data
	OldAndNew  bool    // for Modify: the old PIN is asked for, too
	Offset     int     // of the (old) PIN in Command.Data
	NewOffset  int     // of the new PIN in Command.Data
	RetryHints bool    // show the standard messages on the reader's display
}

// PINPad is implemented by a Transport whose reader has keys of its own. The
// PIN never reaches the program. The status is the card's, or one of the
// reader's own (PC/SC part 10 §2.5): 6400 for a person who took too long, 6401
// for one who cancelled, 6402 for two new PINs that differ, 6403 for a PIN that
// is too short or too long.
type PINPad interface {
	// Verify lets a person enter a PIN and sends it to the card.
	Verify(ctx context.Context, b PINBlock) (Status, error)
	// Modify lets a person enter a new PIN, and the old one if OldAndNew.
	Modify(ctx context.Context, b PINBlock) (Status, error)
}

// PINPad returns the keys of the reader, if it has any. Its calls are part of
// the unit, and their errors as those of Do.
func (t *Tx) PINPad() (PINPad, bool) {
	if _, ok := t.u.conn.transport.(PINPad); !ok {
		return nil, false
	}
	return txPINPad{t}, true
}

type txPINPad struct{ t *Tx }

func (p txPINPad) Verify(ctx context.Context, b PINBlock) (Status, error) {
	return p.t.enterPIN(ctx, b, doVerify)
}

func (p txPINPad) Modify(ctx context.Context, b PINBlock) (Status, error) {
	return p.t.enterPIN(ctx, b, doModify)
}

func (t *Tx) enterPIN(ctx context.Context, b PINBlock, do func(*Conn)) (Status, error) {
	if err := t.u.check(ctx); err != nil {
		return 0, &CommandError{b.Command.Name(), err}
	}
	command, err := b.Command.AppendShort(nil)
	if err != nil {
		return 0, &CommandError{b.Command.Name(), err}
	}
	c := t.u.conn
	c.call.reset(ctx, do, lateExchange)
	c.call.block = b
	t.u.lastTry = true
	started := c.clock()
	if err := t.u.run(); err != nil {
		c.observe(command, nil, err, started, shown{})
		return 0, &CommandError{b.Command.Name(), err}
	}
	status := c.call.status
	c.observe(command, []byte{status.SW1(), status.SW2()}, nil, started, shown{})
	if !status.valid() {
		return 0, &CommandError{b.Command.Name(), t.u.garbled("status %04X", uint16(status))}
	}
	return status, nil
}
