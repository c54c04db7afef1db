package virtual

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// link is one user of a card: a connection through a reader, or a plug. Its
// fields are guarded by the card's lock.
type link struct {
	card   *Card
	slot   *slot  // the reader, or nil for a plug
	stay   uint64 // the card's stay in the reader that the link is for
	dead   bool   // closed, or torn out
	begun  bool   // a transaction is open
	resets uint64 // those that it knows of
	sent   uint64 // commands of its own

	// What the card had seen of others, and its resets, when the last
	// transaction ended.
	ended       bool
	endedOthers uint64
	endedResets uint64
}

var errBegun = errors.New("a transaction is open already")

// waiter is a link that waits for the card.
type waiter struct {
	link  *link
	ready chan struct{} // closed when it has the card, or never will
}

func (c *Card) newLink(s *slot) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &link{card: c, slot: s, stay: c.stay, resets: c.resets}
}

// gone tells whether the link is dead for good. The caller holds c.mu.
func (l *link) gone() bool {
	return l.dead || l.card.closed || l.slot != nil && l.stay != l.card.stay
}

// usable tells why a link cannot use the card. A reset by somebody else is
// told once. The caller holds c.mu.
func (l *link) usable() error {
	switch {
	case l.gone():
		return apdu.ErrRemoved
	case l.resets != l.card.resets:
		l.resets = l.card.resets
		return apdu.ErrReset
	}
	return nil
}

// acquire waits until the link has the card to itself, in order of arrival.
func (l *link) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := l.card
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if c.holder == nil {
		c.holder = l
		return nil
	}
	w := &waiter{l, make(chan struct{})}
	c.waiting = append(c.waiting, w)
	c.mu.Unlock()
	var err error
	select {
	case <-w.ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	c.waiting = slices.DeleteFunc(c.waiting, func(o *waiter) bool { return o == w })
	if err == nil {
		err = l.usable()
	}
	if err != nil && c.holder == l {
		c.release()
	}
	return err
}

// release passes the card on to who has waited longest. The caller holds
// c.mu.
func (c *Card) release() {
	c.holder = nil
	if len(c.waiting) > 0 {
		next := c.waiting[0]
		c.waiting = c.waiting[1:]
		c.holder = next.link
		close(next.ready)
	}
}

// dismiss takes the card from links that are gone, those that wait and the
// one that has it. A command that is being executed keeps the card until it
// is done. The caller holds c.mu.
func (c *Card) dismiss() {
	var stay []*waiter
	for _, w := range c.waiting {
		if w.link.gone() {
			close(w.ready)
			continue
		}
		stay = append(stay, w)
	}
	c.waiting = stay
	if h := c.holder; h != nil && h.gone() && !c.busy {
		c.release()
	}
}

// transmit sends one command, in the link's transaction if one is open, else
// as soon as nobody else's is.
func (l *link) transmit(ctx context.Context, command []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := l.card
	c.mu.Lock()
	alone := !l.begun
	c.mu.Unlock()
	if alone {
		if err := l.acquire(ctx); err != nil {
			return nil, err
		}
	}
	return l.exchange(command, alone)
}

// exchange has the card execute a command. The link holds the card.
func (l *link) exchange(command []byte, alone bool) ([]byte, error) {
	c := l.card
	c.mu.Lock()
	if err := l.usable(); err != nil {
		if alone && c.holder == l {
			c.release()
		}
		c.mu.Unlock()
		return nil, err
	}
	cold := c.cold
	c.cold, c.busy = false, true
	c.sent++
	l.sent++
	n := c.sent
	c.mu.Unlock()

	if cold {
		c.system.Reset()
	}
	response, err := l.execute(int(n), command)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if l.gone() && err == nil {
		err = fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrUnsure)
	}
	if alone || l.gone() {
		c.release()
	}
	if err != nil {
		return nil, err
	}
	c.answered++
	return response, nil
}

// execute runs a command with the fault that is in store for it.
func (l *link) execute(n int, command []byte) ([]byte, error) {
	c := l.card
	var f Fault
	if c.fault != nil {
		f = c.fault(n, command)
	}
	response := f.Answer
	if f.Kind.executes() {
		answer := c.system.Process(command)
		if f.Kind != Override {
			response = answer
		}
		for _, observe := range c.observe {
			observe(command, response)
		}
	}
	return l.suffer(f.Kind, response)
}

// suffer does what a fault does to the link and the card.
func (l *link) suffer(kind FaultKind, response []byte) ([]byte, error) {
	switch kind {
	case CutBefore:
		l.pull()
		return nil, apdu.ErrRemoved
	case CutAfter:
		l.pull()
		return nil, fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrUnsure)
	case ResetBefore:
		l.card.reset(l)
		return nil, apdu.ErrReset
	case ResetAfter:
		l.card.reset(nil)
	case FailLink:
		return nil, apdu.ErrLink
	case LoseAnswer:
		return nil, apdu.ErrUnsure
	}
	return response, nil
}

// pull takes the card out of its reader, or tears the plug out.
func (l *link) pull() {
	if l.slot != nil {
		l.slot.provider.eject(l.slot)
		return
	}
	l.card.mu.Lock()
	defer l.card.mu.Unlock()
	l.dead = true
}

// begin opens a transaction. They do not nest.
func (l *link) begin(ctx context.Context) (undisturbed bool, err error) {
	c := l.card
	c.mu.Lock()
	begun := l.begun
	c.mu.Unlock()
	if begun {
		return false, errBegun
	}
	if err := l.acquire(ctx); err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := l.usable(); err != nil {
		if c.holder == l {
			c.release()
		}
		return false, err
	}
	l.begun = true
	return l.ended && l.endedOthers == c.sent-l.sent && l.endedResets == c.resets, nil
}

// end closes the transaction; the card stays as it is.
func (l *link) end() error {
	c := l.card
	c.mu.Lock()
	defer c.mu.Unlock()
	if !l.begun {
		return nil
	}
	l.begun = false
	if l.gone() {
		return apdu.ErrRemoved
	}
	l.ended, l.endedOthers, l.endedResets = true, c.sent-l.sent, l.resets
	c.release()
	return nil
}

// close makes the link dead and gives the card up.
func (l *link) close() {
	c := l.card
	c.mu.Lock()
	defer c.mu.Unlock()
	l.dead = true
	c.dismiss()
}
