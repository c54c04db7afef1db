package virtual

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki/apdu"
)

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
