package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Derive makes a secret key from a base key (C_DeriveKey, PKCS #11 v3.2
// §5.18.5). Without CKA_VALUE_LEN the key is as long as what the mechanism
// gives; where a shared secret is longer, the key takes its trailing bytes, as
// §6.3 has it for ECDH. CKA_ALWAYS_SENSITIVE and CKA_NEVER_EXTRACTABLE need the
// base key's. Errors: those of the derivation rules, of the access table and of
// the template rules, ckr.KeySizeRange, ckr.MechanismParamInvalid.
func (s *Session) Derive(ctx context.Context, m mechanism.Mechanism, base *object.Object, template ...object.Attribute) (*object.Object, error) {
	g, err := s.grantKey(ctx, engine.ToDerive, base, m)
	if err != nil {
		return nil, err
	}
	return s.handle.DeriveKey(ctx, g, driver.Auth{}, m, template)
}

// DeriveKeys makes several secret keys of one derivation, of which each takes
// its part in order (CK_SP800_108_KDF_PARAMS with additional keys, PKCS #11
// v3.2 §6). Each template says how long its key is. All keys are made, or none.
// Errors: those of Derive, ckr.MechanismInvalid for mechanisms other than
// mechanism.KBKDF, ckr.TemplateIncomplete without CKA_VALUE_LEN.
func (s *Session) DeriveKeys(ctx context.Context, m mechanism.Mechanism, base *object.Object, templates ...object.Template) ([]*object.Object, error) {
	g, err := s.grantKey(ctx, engine.ToDerive, base, m)
	if err != nil {
		return nil, err
	}
	return s.handle.DeriveKeys(ctx, g, driver.Auth{}, m, templates...)
}
