package engine

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// refused is called inside a transaction that ends with err. A status word that
// surfaces was not expected: the card may have been reset without the system's
// telling, which leaves nothing verified and another application selected. So
// the card is asked whether it still holds the user's PIN verified, where we
// believe that it does. If it says no, its users are logged out; in all other
// cases but yes, what we believe is in doubt, and the next transaction selects the
// application again.
func (c *Card) refused(ctx context.Context, tx driver.Tx, err error) {
	if !refusal(err) || isPINError(codes.Wrap("", err)) {
		return
	}
	c.mu.Lock()
	believed := c.verified[token.User] == verified
	c.mu.Unlock()
	if q, ok := c.backend.(driver.PINStatus); ok && believed {
		still, tries, asked := q.PINStatus(ctx, token.User)
		switch {
		case asked != nil || still:
			return
		case tries.Known:
			c.lost(token.User, err)
		}
	}
	tx.Unselect()
	c.mu.Lock()
	c.doubtVerified()
	c.mu.Unlock()
}

// contradicted returns the error of a card that does not find its user PIN (6A88,
// 6A86) where it was seen to have one: another application was selected, without
// anybody's telling.
func (c *Card) contradicted(err error) error {
	missing := errors.Is(err, apdu.SWReferenceNotFound) || errors.Is(err, apdu.SWWrongP1P2)
	if !missing || ckr.Of(codes.Wrap("", err)) != ckr.UserPINNotInitialized {
		return err
	}
	c.mu.Lock()
	has := c.info != nil && c.info.Flags.Has(token.FlagUserPINInitialized)
	c.mu.Unlock()
	if !has {
		return err
	}
	return ckr.Newf(ckr.DeviceError, "", "the card does not find its PIN; another application may have been selected: %w", err)
}

// refusal tells whether an error is a status word of the card.
func refusal(err error) bool {
	var sw apdu.Status
	return errors.As(err, &sw)
}

// isPINError reports whether an error is the card's answer to a PIN.
func isPINError(err error) bool {
	switch ckr.Of(err) {
	case ckr.PINIncorrect, ckr.PINLocked, ckr.PINLenRange, ckr.PINInvalid, ckr.PINExpired, ckr.UserPINNotInitialized:
		return true
	}
	return false
}
