package apdu

import (
	"context"
	"errors"
	"fmt"
)

// maxResponse is the longest answer to one APDU, with status word.
const maxResponse = MaxExtendedLe + 2

// A wire is a command in the form in which it goes to the card.
type wire struct {
	Command
	extended bool // with extended lengths
	repeat   bool // once more if the link failed
	show     shown
}

// send sends one APDU and returns the data and the status word of its answer.
// A non-nil error ends the unit.
func (t *Tx) send(ctx context.Context, w wire) ([]byte, Status, error) {
	u := t.u
	command, err := u.conn.encode(w)
	if err != nil {
		return nil, 0, err
	}
	u.lastTry = !w.repeat
	response, err := u.transmit(ctx, command, w.show)
	if u.repairable && w.repeat {
		u.failed, u.lastTry = nil, true
		response, err = u.transmit(ctx, command, w.show)
	}
	if u.left {
		return nil, 0, err // the worker clears the encoding
	}
	clear(command)
	if err != nil {
		return nil, 0, err
	}
	data, sw, err := split(response, w.Le)
	if err != nil {
		clear(response[:max(0, len(response)-2)])
		if w.extended {
			u.conn.withoutExtended()
		}
		return nil, 0, u.garbled("%v", err)
	}
	return data, sw, nil
}

// encode encodes into the buffer of the Conn, in the way of the protocol: T=0
// (ISO 7816-3 §12.2) has no case 4, and case 1 gets a third parameter.
func (c *Conn) encode(w wire) ([]byte, error) {
	if w.extended {
		return w.AppendExtended(nil)
	}
	cmd := w.Command
	if c.info.Protocol == T0 {
		if len(cmd.Data) > 0 {
			cmd.Le = 0
		} else if cmd.Le == 0 {
			cmd.Le = MaxShortLe
		}
	}
	if c.buffer == nil {
		c.buffer = make([]byte, 0, shortCommand)
	}
	return cmd.AppendShort(c.buffer[:0])
}

// transmit carries one encoded command to the card and shows the exchange to
// logger and tap.
func (u *unit) transmit(ctx context.Context, command []byte, show shown) ([]byte, error) {
	c := u.conn
	c.call.reset(ctx, doTransmit, lateExchange)
	c.call.command = command
	c.call.immediate = c.immediacy != nil && c.immediacy.Immediate(command)
	seen := command
	if c.observed() && ctx.Done() != nil && !c.call.immediate {
		seen = append([]byte(nil), command...) // the worker clears its own
		defer clear(seen)
	}
	started := c.clock()
	err := u.run()
	if err != nil {
		c.observe(seen, nil, err, started, show)
		return nil, err
	}
	c.observe(seen, c.call.response, nil, started, show)
	return c.call.response, nil
}

// run makes the exchange that was prepared. Whatever goes wrong below the card
// ends the unit, as nobody knows what the card has made of the command.
func (u *unit) run() error {
	c := u.conn
	u.repairable, u.wasReset = false, false
	u.busy = true
	reason := c.run()
	u.busy = false
	if reason != nil {
		u.left = true
		u.fail(reason)
		return fmt.Errorf("%w: %w", reason, ErrOutcomeUnknown)
	}
	if c.call.err != nil {
		return u.broken(c.call.err)
	}
	return nil
}

// broken ends the unit after an error of the transport.
func (u *unit) broken(err error) error {
	c := u.conn
	c.note(err)
	switch {
	case errors.Is(err, ErrReset):
		u.fail(ErrReset)
		u.wasReset = true
		return err
	case errors.Is(err, ErrRemoved):
		u.fail(ErrRemoved)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		c.lost()
		u.fail(err)
	default:
		u.repairable = true
		if u.lastTry {
			c.lost()
		}
		u.fail(ErrLink)
		if !errors.Is(err, ErrLink) {
			err = fmt.Errorf("%w: %w", ErrLink, err)
		}
	}
	if !errors.Is(err, ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: %w", err, ErrOutcomeUnknown)
	}
	return err
}

// garbled ends the unit after an answer that is none.
func (u *unit) garbled(format string, args ...any) error {
	u.conn.lost()
	u.fail(ErrLink)
	return fmt.Errorf("%w: %s: %w", ErrLink, fmt.Sprintf(format, args...), ErrOutcomeUnknown)
}

// cutOff ends the unit in the middle of a command of several exchanges.
func (u *unit) cutOff(reason error) error {
	u.conn.lost()
	u.fail(reason)
	return fmt.Errorf("%w: %w", reason, ErrOutcomeUnknown)
}

// split cuts an answer into data and status word. More data than were asked for
// are refused; but a card may answer without having been asked.
func split(response []byte, le int) ([]byte, Status, error) {
	n := len(response) - 2
	if n < 0 {
		return nil, 0, fmt.Errorf("answer of %d bytes", len(response))
	}
	if le == 0 {
		le = MaxShortLe
	}
	if n > le {
		return nil, 0, fmt.Errorf("answer of %d bytes where %d were asked for", n, le)
	}
	sw := Status(response[n])<<8 | Status(response[n+1])
	if !sw.valid() {
		return nil, 0, fmt.Errorf("status %v", sw)
	}
	return response[:n:n], sw, nil
}

// mayRepeat tells whether a command that may or may not have been executed can
// be sent again: those that only read or select, and a VERIFY that asks for the
// tries left.
func mayRepeat(cmd Command) bool {
	if cmd.CLA != 0 {
		return false
	}
	switch cmd.INS {
	case insSelect, insReadBinary, insReadBinaryODO, insReadRecord, insGetData, insGetDataODO:
		return true
	case insVerify:
		return len(cmd.Data) == 0 && cmd.P1 == 0
	}
	return false
}
