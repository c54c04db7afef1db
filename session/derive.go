package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Derive makes a secret key from a base key (C_DeriveKey, PKCS #11 v3.2
// §5.18.5); see token.Seat.DeriveKey.
func (s *Session) Derive(ctx context.Context, m mechanism.Mechanism, base *object.Object, template ...object.Attribute) (*object.Object, error) {
	g, err := s.grantKey(ctx, engine.ToDerive, base, m)
	if err != nil {
		return nil, err
	}
	return s.seat.DeriveKey(ctx, g, driver.Auth{}, m, template)
}

// DeriveKeys makes several secret keys of one derivation by SP 800-108; see
// token.Seat.DeriveKeys.
func (s *Session) DeriveKeys(ctx context.Context, m mechanism.Mechanism, base *object.Object, templates ...object.Template) ([]*object.Object, error) {
	g, err := s.grantKey(ctx, engine.ToDerive, base, m)
	if err != nil {
		return nil, err
	}
	return s.seat.DeriveKeys(ctx, g, driver.Auth{}, m, templates...)
}
