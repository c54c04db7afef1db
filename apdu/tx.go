package apdu

import (
	"bytes"
	"context"
	"fmt"
)

// Epoch is [Conn.Epoch].
func (t *Tx) Epoch() uint64 { return t.u.conn.Epoch() }

// Resets is [Conn.Resets].
func (t *Tx) Resets() uint64 { return t.u.conn.Resets() }

// Selected returns the answer to the SELECT of the unit's application, which is
// not to be changed, and whether it was sent in this unit rather than in an
// earlier one. A card may drop verified PINs with a SELECT, even of the
// application that was selected before.
func (t *Tx) Selected() (fci []byte, now bool) { return t.fci, t.now }

// Disturbed tells whether somebody else may have used the card since the last
// unit of this Conn. It is true of the first unit on a card that may be shared.
func (t *Tx) Disturbed() bool { return t.u.disturbed }

// Disturbances counts the units so far that were Disturbed, so that a driver
// learns of those that others began: since then another application may have
// been selected, and verified PINs be gone with it.
func (t *Tx) Disturbances() uint64 { return t.u.conn.disturbances.Load() }

// Info is [Conn.Info].
func (t *Tx) Info() Info { return t.u.conn.info }

// Unselect tells that the selected application is not the unit's any more, as
// after a command that leaves it. The next unit selects it again. After a
// SELECT by name sent with Do it is not needed.
func (t *Tx) Unselect() {
	if !t.u.left && !t.u.ended.Load() {
		t.u.conn.forget()
	}
}

// selectApplication selects the application of t by its name, unless it is
// selected.
func (t *Tx) selectApplication(ctx context.Context) error {
	c := t.u.conn
	if len(t.aid) == 0 {
		return nil
	}
	if bytes.Equal(c.selected, t.aid) {
		t.fci = c.fci
		return nil
	}
	fci, err := t.sendSelect(ctx)
	if err != nil {
		return fmt.Errorf("SELECT %X: %w", t.aid, err)
	}
	c.selected, c.fci = bytes.Clone(t.aid), fci
	t.fci, t.now = fci, true
	return nil
}

// sendSelect sends the SELECT, again if the first one met a reset that only now
// came to light: nothing of the unit has been sent yet. A deactivated or oddly
// described application counts as selected, a terminated one does not.
func (t *Tx) sendSelect(ctx context.Context) ([]byte, error) {
	cmd := Command{INS: insSelect, P1: 0x04, Data: t.aid, Le: MaxShortLe}
	fci, err := t.transceive(ctx, cmd)
	if t.u.wasReset {
		t.u.failed, t.u.disturbed = nil, true
		fci, err = t.transceive(ctx, cmd)
	}
	if sw, ok := err.(Status); ok && sw.SW1() == 0x62 && sw != SWTerminated {
		err = nil
	}
	return fci, err
}
