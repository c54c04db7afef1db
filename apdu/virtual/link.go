package virtual

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// link is one user of a card: a connection through a reader, or a plug. Its
// fields are guarded by the card's lock.
type link struct {
	card   *Card
	slot   *slot           // the reader, or nil for a plug
	stay   uint64          // the card's stay in the reader that the link is for
	dead   bool            // closed, or torn out
	begun  bool            // a transaction is open
	resets uint64          // those that it knows of
	sent   uint64          // commands of its own
	left   <-chan struct{} // closed when the card goes

	// What the card had seen of others, and its resets, when the last
	// transaction ended.
	ended       bool
	endedOthers uint64
	endedResets uint64
}

var errBegun = errors.New("a transaction is open already")

func (c *Card) newLink(s *slot) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &link{card: c, slot: s, stay: c.stay, resets: c.resets, left: c.ended}
	if s != nil && c.out != nil {
		l.left = c.out
	}
	return l
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
	case l.card.held > 0 && l.slot != nil:
		return apdu.ErrInUse
	}
	return nil
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
	return l.beginHolding()
}

// tryBegin is begin, unless it would have to wait: then it returns false.
func (l *link) tryBegin() (undisturbed, ok bool, err error) {
	c := l.card
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case l.begun:
		return false, true, errBegun
	case c.holder != nil && !l.gone():
		return false, false, nil
	case c.holder == nil:
		c.holder = l
	}
	undisturbed, err = l.beginHolding()
	return undisturbed, true, err
}

// beginHolding opens a transaction of the link that holds the card, and gives
// it up again where that cannot be. The caller holds c.mu.
func (l *link) beginHolding() (undisturbed bool, err error) {
	c := l.card
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
	c.pay()
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
