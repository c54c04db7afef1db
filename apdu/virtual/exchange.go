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
	return l.exchange(ctx, command, alone)
}

// exchange has the card execute a command. The link holds the card.
func (l *link) exchange(ctx context.Context, command []byte, alone bool) ([]byte, error) {
	c := l.card
	c.mu.Lock()
	if err := l.usable(); err != nil {
		if alone && c.holder == l {
			c.release()
		}
		c.mu.Unlock()
		return nil, err
	}
	c.busy = true
	c.sent++
	l.sent++
	n, script, cold := c.sent, c.script, c.cold
	c.mu.Unlock()

	var f Fault
	if script != nil {
		f = script(int(n), command)
	}
	response, err := l.execute(ctx, f, command, cold)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if l.gone() && err == nil {
		err = fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrOutcomeUnknown)
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

// execute runs a command with the fault that is in store for it, on a card that
// was without power since the last one if it is cold.
func (l *link) execute(ctx context.Context, f Fault, command []byte, cold bool) ([]byte, error) {
	if err := l.before(ctx, f); err != nil {
		return nil, err
	}
	c := l.card
	if cold || f.Kind != Pass {
		c.warm()
	}
	response := f.Answer
	if f.Kind.executes() {
		if f.Kind == Tear {
			c.system.FailAfter(f.Writes)
		}
		answer := c.system.Process(command)
		if answer == nil {
			l.pull()
			return nil, fmt.Errorf("%w: %w", apdu.ErrRemoved, apdu.ErrOutcomeUnknown)
		}
		response = f.answer(answer)
		c.show(command, response)
	}
	return l.after(f, response)
}

// warm has the card forget what it does without power, if it was without since
// the last command.
func (c *Card) warm() {
	c.mu.Lock()
	cold := c.cold
	c.cold = false
	c.mu.Unlock()
	if cold {
		c.system.Reset()
	}
}

// show has the observers see an exchange.
func (c *Card) show(command, response []byte) {
	for _, observe := range c.observe {
		observe(command, response)
	}
}
