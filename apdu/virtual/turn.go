package virtual

import (
	"context"
	"slices"
)

// waiter is a link that waits for the card.
type waiter struct {
	link  *link
	ready chan struct{} // closed when it has the card, or never will
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
