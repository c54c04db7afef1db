package slot

import (
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/internal/engine"
)

// Hub holds the places and tokens of one Source for all applications of the
// process.
type Hub struct {
	source Source

	looking chan struct{} // held by the one that looks; capacity 1
	mu      sync.Mutex
	users   int
	ctx     context.Context // of the probes, as long as there are users
	cancel  context.CancelFunc
	readers map[string]*reader
	order   []string
	ids     map[place]ID
	last    ID
}

// place is what a slot id stands for.
type place struct {
	reader string
	driver string // empty for the reader's first slot
	index  int
}

// reader is one reader and the card in it.
type reader struct {
	name    string
	atr     []byte
	present bool
	count   uint64
	probe   *probe       // under way, or nil
	in      *Contents    // what is in it, or nil
	found   []Recognized // where the cards come from
	cards   []*engine.Card
	err     error // why the card has no token
}

type hubKey struct{}

func hubOf(s Source) *Hub {
	return s.Shared().Value(hubKey{}, func() any {
		return &Hub{
			source: s, looking: make(chan struct{}, 1),
			readers: make(map[string]*reader), ids: make(map[place]ID),
		}
	}).(*Hub)
}

// id returns the id of a place, a new one at first sight. The caller holds
// h.mu.
func (h *Hub) id(p place) ID {
	id, ok := h.ids[p]
	if !ok {
		h.last++
		id = h.last
		h.ids[p] = id
	}
	return id
}

// first is the id of a reader's first slot.
func (h *Hub) first(reader string) ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.id(place{reader: reader})
}

// readerOf is the reader that a slot id belongs to, or empty.
func (h *Hub) readerOf(id ID) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, known := range h.ids {
		if known == id {
			return p.reader
		}
	}
	return ""
}

// eject forgets the card of a reader; its sessions end.
func (r *reader) eject() {
	for _, c := range r.cards {
		c.Gone()
	}
	if r.in != nil {
		go r.in.Close() // it may wait for an exchange that hangs
	}
	r.in, r.cards, r.err, r.found, r.probe = nil, nil, nil, nil, nil
	r.present = false
}

// join and leave count the applications; with the last one the connections
// are closed.
func (h *Hub) join() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users++
	if h.users == 1 {
		h.ctx, h.cancel = context.WithCancel(context.Background())
	}
}

func (h *Hub) leave() (last []*Contents) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.users--
	if h.users > 0 {
		return nil
	}
	h.cancel()
	for _, r := range h.readers {
		if r.in != nil {
			last = append(last, r.in)
		}
		r.in = nil
		r.eject()
	}
	h.readers = make(map[string]*reader)
	h.order = nil
	return last
}
