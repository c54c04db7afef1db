package slot

import (
	"context"
	"iter"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
)

// Event is a change of a slot: a card came or went, or the reader did.
type Event struct {
	Slot    ID
	Reader  string // name of the reader
	Present bool   // a card is in the reader
	Gone    bool   // the reader went away; the slot's id is kept for its return
	ATR     []byte // of the card, if Present
	// Initial marks the state that Events begins with, one event a slot. The
	// last of them has Settled set; where there are no readers, one event
	// without a slot has both.
	Initial, Settled bool
}

// Events yields the present state and then each change as it happens, until ctx
// is done or the caller stops. A card that came is not read: List.Slot does
// that. When a card goes, its sessions end before the event is yielded. Errors,
// of which the first is the last: ckr.CryptokiNotInitialized when the List is
// closed, ckr.DeviceError without the smart card service.
func (l *List) Events(ctx context.Context) iter.Seq2[Event, error] {
	const op = "slot events"
	return func(yield func(Event, error) bool) {
		ctx, cancel := l.until(ctx)
		defer cancel()
		for e, err := range l.watch(ctx) {
			if err != nil {
				yield(Event{}, l.reason(op, err))
				return
			}
			for i, id := range l.ids(e) {
				if !yield(l.event(e.Event, id, i), nil) {
					return
				}
			}
		}
		if l.isClosed() {
			yield(Event{}, ckr.New(ckr.CryptokiNotInitialized, op, nil))
		}
	}
}

// ids takes note of what happened in a reader and returns the slots that it
// concerns; 0 stands for no reader at all.
func (l *List) ids(e change) []ID {
	if e.Reader == "" {
		return []ID{0}
	}
	return l.note(e)
}

// note takes note of a change in one of the sources.
func (l *List) note(e change) []ID {
	ids := l.hubs[e.source].note(e.Event)
	for i := range ids {
		ids[i] = idIn(e.source, ids[i])
	}
	return ids
}

func (l *List) event(e apdu.Event, id ID, i int) Event {
	return Event{
		Slot: id, Reader: e.Reader, Present: e.Present, Gone: e.Gone, ATR: e.ATR,
		Initial: e.Initial, Settled: e.Settled && i == 0,
	}
}

// note takes note of a change and returns the slots that it concerns: the
// reader's first, and those of the other tokens that were on a card that went.
func (h *Hub) note(e apdu.Event) []ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	ids := []ID{h.id(place{reader: e.Reader})}
	r := h.readers[e.Reader]
	if r == nil || e.Count < r.count {
		return ids
	}
	before := r.found
	if e.Gone {
		h.drop(r)
	} else {
		r.observe(e)
	}
	for i := 1; i < len(before) && len(r.cards) == 0; i++ {
		ids = append(ids, h.id(place{e.Reader, before[i].Driver, before[i].Index}))
	}
	return ids
}

// until is ctx, done also when the List is closed.
func (l *List) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.open, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// reason is why watching ended.
func (l *List) reason(op string, err error) error {
	if l.isClosed() {
		return ckr.New(ckr.CryptokiNotInitialized, op, nil)
	}
	return codes.Wrap(op, err)
}
