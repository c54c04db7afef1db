package cryptoki

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/slot"
)

// SlotEvents yields the state of the slots and then each change as it happens;
// see slot.List.Events.
func (m *Module) SlotEvents(ctx context.Context) iter.Seq2[slot.Event, error] {
	return m.list.Events(ctx)
}

// WaitForSlotEvent waits until a card or a reader has come or gone and returns
// the slot (C_WaitForSlotEvent); see slot.List.WaitForSlotEvent.
func (m *Module) WaitForSlotEvent(ctx context.Context) (slot.ID, error) {
	return m.list.WaitForSlotEvent(ctx)
}

// SlotEvent is WaitForSlotEvent without waiting (CKF_DONT_BLOCK): ckr.NoEvent
// if nothing happened.
func (m *Module) SlotEvent(ctx context.Context) (slot.ID, error) { return m.list.SlotEvent(ctx) }
