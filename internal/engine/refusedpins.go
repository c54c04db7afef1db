package engine

import (
	"crypto/subtle"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token"
)

// maxRefused bounds how many refused PINs of one role are kept: no card has
// more tries.
const maxRefused = 16

// OnRefusal has f called with each PIN that the card refuses, or that was
// replaced by another one, whoever sent it, so that who remembers it forgets it.
// f does not keep the PIN, returns at once, and does not use the token.
func (t *Token) OnRefusal(f func(r token.Role, p token.PIN)) {
	t.card.mu.Lock()
	defer t.card.mu.Unlock()
	t.onRefusal = f
}

// judgePIN notes what the card answered to a PIN of role r, so that one that it
// refused is not sent again unless somebody types it. The caller holds c.mu.
func (c *Card) judgePIN(r token.Role, p token.PIN, err error) {
	switch {
	case err == nil:
		c.forgive(r, p)
		c.settled[r] = true
	case ckr.Of(err) == ckr.PINIncorrect:
		c.settled[r] = false
		c.refuse(r, p)
	default:
		c.settled[r] = false
	}
}

// refuse notes a PIN that is not right. The caller holds c.mu.
func (c *Card) refuse(r token.Role, p token.PIN) {
	if !c.refuses(r, p) {
		if kept := p.Clone(); !kept.IsZero() {
			if len(c.wrong[r]) == maxRefused {
				c.wrong[r][0].Clear()
				c.wrong[r] = slices.Delete(c.wrong[r], 0, 1)
			}
			c.wrong[r] = append(c.wrong[r], kept)
		}
	}
	for t := range c.tokens {
		if t.onRefusal != nil {
			t.onRefusal(r, p)
		}
	}
}

// forgive notes that a PIN is right, which may have been refused before. The
// caller holds c.mu.
func (c *Card) forgive(r token.Role, p token.PIN) {
	c.wrong[r] = slices.DeleteFunc(c.wrong[r], func(kept token.PIN) bool {
		right := sameBytes(kept, p)
		if right {
			kept.Clear()
		}
		return right
	})
}

// refuses reports whether a PIN is one that the card has refused. The caller
// holds c.mu.
func (c *Card) refuses(r token.Role, p token.PIN) bool {
	return slices.ContainsFunc(c.wrong[r], func(kept token.PIN) bool { return sameBytes(kept, p) })
}

// wasRefused is refuses for callers that do not hold c.mu.
func (c *Card) wasRefused(r token.Role, p token.PIN) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refuses(r, p)
}

// forgetRefused clears the refused PINs. The caller holds c.mu.
func (c *Card) forgetRefused() {
	for r, list := range c.wrong {
		for _, p := range list {
			p.Clear()
		}
		c.wrong[r] = nil
	}
}

// sameBytes reports whether two PINs are alike; the zero PIN is like none.
func sameBytes(kept, p token.PIN) bool {
	return !kept.IsZero() && !p.IsPad() && subtle.ConstantTimeCompare(kept.Reveal(), p.Reveal()) == 1
}
