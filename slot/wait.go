package slot

import (
	"context"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// arrivals is what an application has been told of the slots: PKCS #11 keeps a
// flag for each slot and application, which is set by an event and cleared when
// it is told.
type arrivals struct {
	known   map[string]uint64 // counts of the readers; nil before the first look
	waiting []ID              // slots whose flag is set, in order
}

// WaitForSlotEvent waits until a card or a reader has come or gone since the
// application's first look at its slots, and returns the slot (C_WaitForSlotEvent,
// PKCS #11 v3.2 §5.5.4). What happened while nobody waited is told first, once a
// slot. Errors: ckr.FunctionCanceled when ctx is done,
// ckr.CryptokiNotInitialized when the List is closed, ckr.DeviceError without
// the smart card service.
func (l *List) WaitForSlotEvent(ctx context.Context) (ID, error) {
	return l.slotEvent(ctx, true)
}

// SlotEvent is WaitForSlotEvent without waiting (CKF_DONT_BLOCK). Errors, beyond
// those: ckr.NoEvent if nothing happened.
func (l *List) SlotEvent(ctx context.Context) (ID, error) {
	return l.slotEvent(ctx, false)
}

func (l *List) slotEvent(ctx context.Context, block bool) (ID, error) {
	const op = "wait for slot event"
	if l.isClosed() {
		return 0, ckr.New(ckr.CryptokiNotInitialized, op, nil)
	}
	caller := ctx
	ctx, cancel := l.until(ctx)
	defer cancel()
	var first []apdu.Event
	for e, err := range l.hub.provider.Watch(ctx) {
		if err != nil {
			return 0, l.reason(op, err)
		}
		if e.Initial {
			if e.Reader != "" {
				first = append(first, e)
			}
			if !e.Settled {
				continue
			}
			l.compare(first)
		} else {
			l.changed(e, l.hub.note(e))
		}
		if id, ok := l.told(); ok {
			return id, nil
		}
		if !block {
			return 0, ckr.New(ckr.NoEvent, op, nil)
		}
	}
	if caller.Err() != nil {
		return 0, ckr.New(ckr.FunctionCanceled, op, caller.Err())
	}
	return 0, ckr.New(ckr.CryptokiNotInitialized, op, nil)
}

// told takes the first slot whose flag is set.
func (l *List) told() (ID, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.arrivals.waiting) == 0 {
		return 0, false
	}
	id := l.arrivals.waiting[0]
	l.arrivals.waiting = l.arrivals.waiting[1:]
	return id, true
}

// compare sets the flags for all that is not as it was. The first time nothing
// was.
func (l *List) compare(now []apdu.Event) {
	if l.begin(now) {
		return
	}
	still := make(map[string]bool, len(now))
	for _, e := range now {
		still[e.Reader] = true
		l.changed(e, l.hub.note(e))
	}
	for _, name := range l.missing(still) {
		l.changed(apdu.Event{Reader: name, Gone: true}, []ID{l.hub.first(name)})
	}
}

// begin keeps the state that events are told of from now on.
func (l *List) begin(now []apdu.Event) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.arrivals.known != nil {
		return false
	}
	l.arrivals.known = make(map[string]uint64, len(now))
	for _, e := range now {
		l.arrivals.known[e.Reader] = e.Count
	}
	return true
}

func (l *List) missing(still map[string]bool) (gone []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name := range l.arrivals.known {
		if !still[name] {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return gone
}

// changed sets the flags of a reader's slots unless the application knows.
func (l *List) changed(e apdu.Event, ids []ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count, known := l.arrivals.known[e.Reader]
	if known == !e.Gone && (e.Gone || count == e.Count) {
		return
	}
	if e.Gone {
		delete(l.arrivals.known, e.Reader)
	} else {
		l.arrivals.known[e.Reader] = e.Count
	}
	for _, id := range ids {
		if !slices.Contains(l.arrivals.waiting, id) {
			l.arrivals.waiting = append(l.arrivals.waiting, id)
		}
	}
}
