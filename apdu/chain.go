package apdu

import (
	"context"
	"fmt"
)

// claChain marks all but the last command of a chain, ISO 7816-4 §5.3.3.
const claChain = 0x10

// chain sends a command as a chain of short ones; the last of them brings Le.
func (t *Tx) chain(ctx context.Context, w wire, want int) ([]byte, error) {
	w.repeat = false
	part := w
	part.CLA |= claChain
	part.Le = 0
	rest := w.Data
	for len(rest) > MaxShortData {
		part.Data, rest = rest[:MaxShortData], rest[MaxShortData:]
		if err := t.link(ctx, part); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, t.u.cutOff(err)
		}
	}
	w.Data, w.Le = rest, min(want, MaxShortLe)
	return t.exchange(ctx, w, want)
}

// link sends one part that is not the last.
func (t *Tx) link(ctx context.Context, part wire) error {
	data, sw, err := t.send(ctx, part)
	clear(data)
	switch {
	case err != nil:
		return err
	case sw == OK:
		return nil
	case sw == SWChainingNotSupported, sw == SWCLANotSupported:
		return fmt.Errorf("%w: %w", ErrTooLong, sw)
	}
	return sw
}
