package session

import (
	"context"
	"encoding"
	"hash"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// Digest hashes data in one call (C_Digest, PKCS #11 v3.2 §5.12), in
// software. Errors: ckr.MechanismInvalid, ckr.SessionHandleInvalid.
func (s *Session) Digest(ctx context.Context, m mechanism.Mechanism, data []byte) ([]byte, error) {
	h, err := s.newHash(m)
	if err != nil {
		return nil, err
	}
	h.Write(data)
	return h.Sum(nil), nil
}

func (s *Session) newHash(m mechanism.Mechanism) (hash.Hash, error) {
	const op = "digest"
	if _, err := s.handle.Current(); err != nil {
		return nil, codes.Wrap(op, err)
	}
	if err := mechanism.Check(m); err != nil {
		return nil, codes.Wrap(op, err)
	}
	h, err := engine.NewHash(m)
	if err != nil {
		return nil, codes.Wrap(op, err)
	}
	return h, s.handle.Offers(op, m.Type())
}

// DigestOp is a digest in several parts (C_DigestInit, C_DigestUpdate,
// C_DigestKey, C_DigestFinal). It is a hash.Hash: Sum leaves it as it is.
type DigestOp struct {
	s *Session
	m mechanism.Mechanism

	mu    sync.Mutex
	hash  hash.Hash
	keyed bool // the value of a key went in
}

// NewDigest begins a digest. Errors: as of Digest.
func (s *Session) NewDigest(_ context.Context, m mechanism.Mechanism) (*DigestOp, error) {
	h, err := s.newHash(m)
	if err != nil {
		return nil, err
	}
	return &DigestOp{s: s, m: m, hash: h}, nil
}

// Write adds data. It never fails.
func (o *DigestOp) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.hash.Write(p)
}

// Key adds the value of a secret key (C_DigestKey, PKCS #11 v3.2 §5.12.4).
// Beyond the standard, keys whose value may not be read are ckr.KeyIndigestible,
// since the digest of one that is short or guessed tells it. Errors:
// ckr.KeyHandleInvalid, ckr.KeyIndigestible.
func (o *DigestOp) Key(ctx context.Context, key *object.Object) error {
	const op = "digest key"
	value, err := o.s.handle.Digestible(ctx, op, key)
	if err != nil {
		return err
	}
	defer clear(value)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keyed = true
	o.hash.Write(value)
	return nil
}

// Sum appends the digest of what was written to b.
func (o *DigestOp) Sum(b []byte) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.hash.Sum(b)
}

// Reset begins anew.
func (o *DigestOp) Reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hash.Reset()
	o.keyed = false
}

// Size is the length of the digest in bytes.
func (o *DigestOp) Size() int { return o.hash.Size() }

// BlockSize is that of the hash function, in bytes.
func (o *DigestOp) BlockSize() int { return o.hash.BlockSize() }

// State returns the operation's state, to go on from later with ResumeDigest
// (C_GetOperationState, PKCS #11 v3.2 §5.6.10). Errors: ckr.StateUnsaveable if
// the value of a key went in, or the hash function cannot.
func (o *DigestOp) State() ([]byte, error) {
	const op = "operation state"
	o.mu.Lock()
	defer o.mu.Unlock()
	m, ok := o.hash.(encoding.BinaryMarshaler)
	if !ok || o.keyed {
		return nil, ckr.New(ckr.StateUnsaveable, op, nil)
	}
	state, err := m.MarshalBinary()
	if err != nil {
		return nil, ckr.New(ckr.StateUnsaveable, op, err)
	}
	return state, nil
}

// ResumeDigest goes on with a digest whose State was saved
// (C_SetOperationState). Errors: ckr.SavedStateInvalid, and those of Digest.
func (s *Session) ResumeDigest(ctx context.Context, m mechanism.Mechanism, state []byte) (*DigestOp, error) {
	o, err := s.NewDigest(ctx, m)
	if err != nil {
		return nil, err
	}
	u, ok := o.hash.(encoding.BinaryUnmarshaler)
	if !ok {
		return nil, ckr.New(ckr.SavedStateInvalid, "operation state", nil)
	}
	if err := u.UnmarshalBinary(state); err != nil {
		return nil, ckr.New(ckr.SavedStateInvalid, "operation state", err)
	}
	return o, nil
}
