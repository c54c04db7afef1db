package session

import (
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// KeyOp is one use of a key that makes or wraps another, for keys that want
// the user's consent to each: unwrapping, deriving, decapsulating. Without
// consent the methods of Session do the same in one call.
type KeyOp struct {
	s *Session
	g engine.Grant
	m mechanism.Mechanism

	purpose engine.Purpose

	mu   sync.Mutex
	auth driver.Auth
	done bool
}

// NewKeyOp begins one use of a key: mechanism.FlagUnwrap, FlagDerive,
// FlagDecapsulate, FlagWrap, FlagSignRecover or FlagVerifyRecover. The card is
// not reached. Close it unless it was used. Errors: as of the Session's method
// for the use, ckr.ArgumentsBad for any other.
func (s *Session) NewKeyOp(ctx context.Context, use mechanism.Flags, m mechanism.Mechanism, key *object.Object) (*KeyOp, error) {
	p, _ := engine.PurposeOf(use)
	g, err := s.grantKey(ctx, p, key, m)
	if err != nil {
		return nil, err
	}
	return &KeyOp{s: s, g: g, m: m, purpose: p}, nil
}

// keyOps has the names of the uses, and the codes that errors about the key
// have in them.
var keyOps = map[mechanism.Flags]struct {
	name  string
	codes map[ckr.Code]ckr.Code
}{
	mechanism.FlagDerive:        {"derive key", nil},
	mechanism.FlagEncapsulate:   {"encapsulate key", nil},
	mechanism.FlagDecapsulate:   {"decapsulate key", asUnwrapping},
	mechanism.FlagSignRecover:   {"sign recover", nil},
	mechanism.FlagVerifyRecover: {"verify recover", nil},
	mechanism.FlagWrap: {"wrap key", map[ckr.Code]ckr.Code{
		ckr.KeyHandleInvalid: ckr.WrappingKeyHandleInvalid, ckr.KeyTypeInconsistent: ckr.WrappingKeyTypeInconsistent,
		ckr.KeySizeRange: ckr.WrappingKeySizeRange,
	}},
	mechanism.FlagUnwrap: {"unwrap key", asUnwrapping},
}

// asUnwrapping are the codes of a key that unwraps; the standard has them for
// one that decapsulates, too.
var asUnwrapping = map[ckr.Code]ckr.Code{
	ckr.KeyHandleInvalid: ckr.UnwrappingKeyHandleInvalid, ckr.KeyTypeInconsistent: ckr.UnwrappingKeyTypeInconsistent,
	ckr.KeySizeRange: ckr.UnwrappingKeySizeRange,
}

// grantKey is Grant with the codes of the use.
func (s *Session) grantKey(ctx context.Context, p engine.Purpose, key *object.Object, m mechanism.Mechanism) (engine.Grant, error) {
	op, ok := keyOps[p.Flag]
	if !ok {
		return engine.Grant{}, ckr.Newf(ckr.ArgumentsBad, "use key", "that use has an operation of its own")
	}
	g, err := s.handle.Grant(ctx, op.name, key, p, m)
	if code, ok := op.codes[ckr.Of(err)]; ok && err != nil {
		return g, ckr.New(code, op.name, err)
	}
	return g, err
}

// Login gives the user's consent to this one use; see SignOp.Login.
func (o *KeyOp) Login(ctx context.Context, p token.PIN) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return ckr.New(ckr.OperationNotInitialized, "login", nil)
	}
	return consent(ctx, o.s, o.g, &o.auth, p)
}

// begin ends the operation, whatever comes of it; the caller closes.
func (o *KeyOp) begin(p engine.Purpose) error {
	if o.done || o.purpose.Flag != p.Flag {
		return ckr.New(ckr.OperationNotInitialized, keyOps[p.Flag].name, nil)
	}
	o.done = true
	return nil
}

// use is the use of the key that the operation is.
func (o *KeyOp) use() engine.Use {
	return engine.Use{Grant: o.g, Op: keyOps[o.purpose.Flag].name, Auth: o.auth}
}

// Wrap wraps a key and ends the operation.
func (o *KeyOp) Wrap(ctx context.Context, key *object.Object) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(engine.ToWrap); err != nil {
		return nil, err
	}
	defer o.end()
	return o.s.handle.WrapKey(ctx, o.g, o.auth, o.m, key)
}

// Unwrap unwraps a key and ends the operation.
func (o *KeyOp) Unwrap(ctx context.Context, wrapped []byte, template ...object.Attribute) (*object.Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(engine.ToUnwrap); err != nil {
		return nil, err
	}
	defer o.end()
	return o.s.handle.UnwrapKey(ctx, o.g, o.auth, o.m, wrapped, template)
}

// Derive derives a key and ends the operation.
func (o *KeyOp) Derive(ctx context.Context, template ...object.Attribute) (*object.Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(engine.ToDerive); err != nil {
		return nil, err
	}
	defer o.end()
	return o.s.handle.DeriveKey(ctx, o.g, o.auth, o.m, template)
}

// Decapsulate makes the key that a ciphertext tells and ends the operation.
func (o *KeyOp) Decapsulate(ctx context.Context, ciphertext []byte, template ...object.Attribute) (*object.Object, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(engine.ToDecapsulate); err != nil {
		return nil, err
	}
	defer o.end()
	return o.s.handle.Decapsulate(ctx, o.g, o.auth, o.m, ciphertext, template)
}

// Close ends the operation and clears what it holds.
func (o *KeyOp) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
	return nil
}

func (o *KeyOp) end() {
	o.done = true
	o.auth.Consent.Clear()
}
