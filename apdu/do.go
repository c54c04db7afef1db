package apdu

import "context"

// Do sends a command and returns the data of the answer, which belong to the
// caller. If need be it is sent with extended lengths or as a chain, the answer
// fetched with GET RESPONSE, and Le corrected, ISO 7816-4 §5.3.
//
// The error is nil for status 9000 alone. With a warning, 62xx or 63xx, Do
// returns data and [Status]; with any other status no data. Errors are of type
// [*CommandError]. Apart from a Status they match [ErrTooLong], if nothing was
// sent; [ErrShort], with data; [ErrRemoved], [ErrReset] or [ErrLink], with
// [ErrOutcomeUnknown] if the card may have executed the command; or the error of the
// context, with ErrOutcomeUnknown if the command was under way. After an error of the
// link the rest of the unit is refused, and the epoch has grown.
//
// A command that only reads is repeated once after a failure of the link, a
// single command also if the card still waited for the rest of an old chain.
// No other command is sent twice.
func (t *Tx) Do(ctx context.Context, cmd Command) ([]byte, error) {
	data, err := t.transceive(ctx, cmd)
	if err != nil {
		return data, &CommandError{cmd.Name(), err}
	}
	return data, nil
}

// transceive is Do without the name of the command before the error.
func (t *Tx) transceive(ctx context.Context, cmd Command) ([]byte, error) {
	if err := t.u.check(ctx); err != nil {
		return nil, err
	}
	if err := cmd.Check(); err != nil {
		return nil, err
	}
	if cmd.INS == insSelect && (cmd.P1 == 0x04 || len(t.aid) == 0) {
		t.u.conn.forget()
	}
	framing, err := t.u.conn.framing(cmd)
	if err != nil {
		return nil, err
	}
	data, err := t.by(ctx, framing, cmd)
	if framing == byExtended && isStatus(err, SWWrongLength) {
		return t.retryWithoutExtended(ctx, cmd, err)
	}
	return data, err
}

// retryWithoutExtended sends a command again that was refused with 6700 in its
// extended form, in the only framing that is left. If the length is right then,
// the card does not know extended lengths, whatever its historical bytes say.
func (t *Tx) retryWithoutExtended(ctx context.Context, cmd Command, refused error) ([]byte, error) {
	c := t.u.conn
	undo := c.withoutExtended()
	framing, err := c.framing(cmd)
	if err != nil {
		undo()
		return nil, refused
	}
	data, err := t.by(ctx, framing, cmd)
	if isStatus(err, SWWrongLength) {
		undo()
	}
	return data, err
}

// withoutExtended has no more extended APDUs sent.
func (c *Conn) withoutExtended() (undo func()) {
	before := c.caps.Load()
	caps := *before
	caps.Extended = false
	c.caps.Store(&caps)
	return func() { c.caps.CompareAndSwap(&caps, before) }
}

// by sends the command in the given framing.
func (t *Tx) by(ctx context.Context, framing framing, cmd Command) ([]byte, error) {
	w := wire{Command: cmd, repeat: mayRepeat(cmd), show: shows(cmd)}
	switch framing {
	case byExtended:
		w.extended = true
		w.Le = min(cmd.Le, t.u.conn.maxAnswer()-2)
		return t.single(ctx, w, cmd.Le)
	case byChain:
		return t.chain(ctx, w, cmd.Le)
	default:
		w.Le = min(cmd.Le, MaxShortLe)
		return t.single(ctx, w, cmd.Le)
	}
}

// single sends a command that one APDU carries.
func (t *Tx) single(ctx context.Context, w wire, want int) ([]byte, error) {
	data, err := t.exchange(ctx, w, want)
	if isStatus(err, SWLastOfChainExpected) && w.CLA&claChain == 0 {
		return t.exchange(ctx, w, want)
	}
	return data, err
}

// isStatus tells whether err is that very status word, as a card answered it.
func isStatus(err error, sw Status) bool {
	got, ok := err.(Status)
	return ok && got == sw
}
