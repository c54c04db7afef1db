package session

import (
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// SignRecover signs data that can be recovered from the signature
// (C_SignRecoverInit, C_SignRecover; PKCS #11 v3.2 §5.14): by RSA, with the
// padding of PKCS #1 v1.5. Errors: as of Sign.
func (s *Session) SignRecover(ctx context.Context, m mechanism.Mechanism, key *object.Object, data []byte) ([]byte, error) {
	o, err := s.NewKeyOp(ctx, mechanism.FlagSignRecover, m, key)
	if err != nil {
		return nil, err
	}
	return o.SignRecover(ctx, data)
}

// VerifyRecover verifies a signature and returns the data in it
// (C_VerifyRecoverInit, C_VerifyRecover; PKCS #11 v3.2 §5.16). Errors:
// ckr.SignatureInvalid, ckr.SignatureLenRange, and those of Verify.
func (s *Session) VerifyRecover(ctx context.Context, m mechanism.Mechanism, key *object.Object, sig []byte) (data []byte, err error) {
	o, err := s.NewKeyOp(ctx, mechanism.FlagVerifyRecover, m, key)
	if err != nil {
		return nil, err
	}
	return o.VerifyRecover(ctx, sig)
}

// SignRecover signs data that can be recovered and ends the operation.
func (o *KeyOp) SignRecover(ctx context.Context, data []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(engine.ToSignRecover); err != nil {
		return nil, err
	}
	defer o.end()
	return o.s.handle.Sign(ctx, o.use(), mechanism.Resolve(o.m), data)
}

// VerifyRecover verifies a signature, returns the data in it, and ends the
// operation.
func (o *KeyOp) VerifyRecover(ctx context.Context, sig []byte) (data []byte, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.begin(engine.ToVerifyRecover); err != nil {
		return nil, err
	}
	defer o.end()
	return o.s.handle.Recover(ctx, o.use(), o.m, sig)
}

// VerifySignatureOp is a verification that knows the signature before the
// data (C_VerifySignatureInit, C_VerifySignatureUpdate,
// C_VerifySignatureFinal; PKCS #11 v3.2 §5.15).
type VerifySignatureOp struct {
	op *VerifyOp

	mu  sync.Mutex
	sig []byte
}

// NewVerifySignature begins a verification of a signature. Errors: as of
// NewVerify.
func (s *Session) NewVerifySignature(ctx context.Context, m mechanism.Mechanism, key *object.Object, sig []byte) (*VerifySignatureOp, error) {
	op, err := s.NewVerify(ctx, m, key)
	if err != nil {
		return nil, err
	}
	return &VerifySignatureOp{op: op, sig: append([]byte(nil), sig...)}, nil
}

// Write adds data. Errors: ckr.OperationNotInitialized, ckr.DataLenRange.
func (o *VerifySignatureOp) Write(p []byte) (int, error) { return o.op.Write(p) }

// Verify tells whether the signature is that of what was written, and ends
// the operation. Errors: ckr.SignatureInvalid, ckr.SignatureLenRange.
func (o *VerifySignatureOp) Verify(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.op.Verify(ctx, o.sig)
}

// Close ends the operation without a result.
func (o *VerifySignatureOp) Close() error { return o.op.Close() }

// SeedRandom would add to the seed of the random number generator
// (C_SeedRandom, PKCS #11 v3.2 §5.19.1). The system's takes none. Errors:
// ckr.RandomSeedNotSupported, ckr.SessionHandleInvalid.
func (s *Session) SeedRandom(context.Context, []byte) error {
	const op = "seed random"
	if _, err := s.handle.Current(); err != nil {
		return codes.Wrap(op, err)
	}
	return ckr.New(ckr.RandomSeedNotSupported, op, nil)
}
