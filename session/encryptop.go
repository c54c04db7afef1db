package session

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
)

// EncryptOp is an encryption that was begun (C_EncryptInit): the key was found
// fit for it.
type EncryptOp struct {
	s    *Session
	key  *object.Object
	m    mechanism.Mechanism
	done bool
}

// NewEncrypt begins an encryption. The card is not reached. Errors: as of
// Encrypt.
func (s *Session) NewEncrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*EncryptOp, error) {
	if _, err := s.seat.Grant(ctx, "encrypt", key, token.ToEncrypt, m); err != nil {
		return nil, err
	}
	return &EncryptOp{s: s, key: key, m: m}, nil
}

// Encrypt encrypts data and ends the operation.
func (o *EncryptOp) Encrypt(ctx context.Context, data []byte) ([]byte, error) {
	if o.done {
		return nil, ckr.New(ckr.OperationNotInitialized, "encrypt", nil)
	}
	o.done = true
	return o.s.Encrypt(ctx, o.m, o.key, data)
}

// Close ends the operation.
func (o *EncryptOp) Close() error {
	o.done = true
	return nil
}
