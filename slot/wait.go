package slot

import (
	"cmp"
	"context"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// arrivals is what an application has been told of the slots: PKCS #11 keeps a
// flag for each slot and application, which is set by an event and cleared when
// it is told.
type arrivals struct {
	known   map[whereabouts]uint64 // counts of the places; nil before the first look
	waiting []ID                   // slots whose flag is set, in order
}

// whereabouts is a place of a source.
type whereabouts struct {
	source int
	name   string
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
	var first []change
	for e, err := range l.watch(ctx) {
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
			l.changed(e, l.note(e))
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

func (c change) where() whereabouts { return whereabouts{c.source, c.Reader} }

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
func (l *List) compare(now []change) {
	if l.begin(now) {
		return
	}
	still := make(map[whereabouts]bool, len(now))
	for _, e := range now {
		still[e.where()] = true
		l.changed(e, l.note(e))
	}
	for _, w := range l.missing(still) {
		gone := change{w.source, apdu.Event{Reader: w.name, Gone: true}}
		l.changed(gone, []ID{idIn(w.source, l.hubs[w.source].first(w.name))})
	}
}

// begin keeps the state that events are told of from now on.
func (l *List) begin(now []change) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.arrivals.known != nil {
		return false
	}
	l.arrivals.known = make(map[whereabouts]uint64, len(now))
	for _, e := range now {
		l.arrivals.known[e.where()] = e.Count
	}
	return true
}

func (l *List) missing(still map[whereabouts]bool) (gone []whereabouts) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.arrivals.known {
		if !still[w] {
			gone = append(gone, w)
		}
	}
	slices.SortFunc(gone, func(a, b whereabouts) int {
		return cmp.Or(cmp.Compare(a.source, b.source), cmp.Compare(a.name, b.name))
	})
	return gone
}

// changed sets the flags of a reader's slots unless the application knows.
func (l *List) changed(e change, ids []ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count, known := l.arrivals.known[e.where()]
	if known == !e.Gone && (e.Gone || count == e.Count) {
		return
	}
	if e.Gone {
		delete(l.arrivals.known, e.where())
	} else {
		l.arrivals.known[e.where()] = e.Count
	}
	for _, id := range ids {
		if !slices.Contains(l.arrivals.waiting, id) {
			l.arrivals.waiting = append(l.arrivals.waiting, id)
		}
	}
}
