package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Digestible returns the value of a secret key for a digest (C_DigestKey),
// for the caller to clear. Errors: ckr.KeyHandleInvalid, ckr.KeyIndigestible
// for keys whose value may not be read or is on the card.
func (s *Session) Digestible(_ context.Context, op string, o *object.Object) ([]byte, error) {
	e, err := s.object(op, o, driver.Use)
	if err != nil {
		return nil, err
	}
	all, ok := s.t.known(e)
	value, shown := object.In(all, object.AttrValue)
	switch {
	case !ok, !isKey(o.Class()):
		return nil, ckr.New(ckr.KeyHandleInvalid, op, nil)
	case o.Class() != object.ClassSecretKey, e.onToken(), !shown:
		return nil, ckr.Newf(ckr.KeyIndigestible, op, "%v is not to be read", o)
	}
	return value, nil
}
