package token

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// refused is called inside a unit that ends with err. A status word that
// surfaces was not expected: the card may have been reset without the system's
// telling, which leaves nothing verified and another application selected. So
// the card is asked whether it still holds the user's PIN verified, where we
// believe that it does. If it says no, its users are logged out; in all other
// cases but yes, what we believe is in doubt, and the next unit selects the
// application again.
func (c *Card) refused(ctx context.Context, tx *apdu.Tx, err error) {
	if !refusal(err) || isPINError(Wrap("", err)) {
		return
	}
	c.mu.Lock()
	believed := c.verified[User] == verified
	c.mu.Unlock()
	if q, ok := c.backend.(PINStatus); ok && believed {
		still, tries, asked := q.PINStatus(ctx, User)
		switch {
		case asked != nil || still:
			return
		case tries.Known:
			c.lost(User, err)
		}
	}
	tx.Unselect()
	c.mu.Lock()
	c.doubtVerified()
	c.mu.Unlock()
}

// refusal tells whether an error is a status word of the card.
func refusal(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw)
}
