package session

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// prepare returns what one-shot operations hand on: the digest of data, or
// data itself.
func prepare(m mechanism.Mechanism, data []byte) (mechanism.Mechanism, []byte) {
	h, prepared := mechanism.Prehash(m)
	if h == 0 {
		return m, data
	}
	return prepared, digestOnce(h, data)
}

// digestOnce hashes data in one call, which costs one allocation less for the
// usual hash functions.
func digestOnce(h crypto.Hash, data []byte) []byte {
	switch h {
	case crypto.SHA256:
		d := sha256.Sum256(data)
		return d[:]
	case crypto.SHA384:
		d := sha512.Sum384(data)
		return d[:]
	case crypto.SHA512:
		d := sha512.Sum512(data)
		return d[:]
	}
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}

// Sign signs data in one call (C_SignInit, C_Sign; PKCS #11 v3.2 §5.13). An
// ECDSA signature is r‖s, each as long as the order. The card is reached if
// the key is on it. Errors: ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent,
// ckr.KeyFunctionNotPermitted, ckr.MechanismInvalid, ckr.DataLenRange,
// ckr.UserNotLoggedIn also for a key with CKA_ALWAYS_AUTHENTICATE, which needs
// NewSign and Login.
func (s *Session) Sign(ctx context.Context, m mechanism.Mechanism, key *object.Object, data []byte) ([]byte, error) {
	const op = "sign"
	g, err := s.handle.Grant(ctx, op, key, engine.ToSign, m)
	if err != nil {
		return nil, err
	}
	prepared, in := prepare(m, data)
	return s.handle.Sign(ctx, engine.Use{Grant: g, Op: op, Immediate: true}, prepared, in)
}

// Verify verifies a signature (C_VerifyInit, C_Verify; PKCS #11 v3.2 §5.15)
// in software. It needs no login for a public key. Errors:
// ckr.SignatureInvalid, ckr.SignatureLenRange, and those of Sign.
func (s *Session) Verify(ctx context.Context, m mechanism.Mechanism, key *object.Object, data, sig []byte) error {
	const op = "verify"
	g, err := s.handle.Grant(ctx, op, key, engine.ToVerify, m)
	if err != nil {
		return err
	}
	prepared, in := prepare(m, data)
	return s.handle.Verify(ctx, engine.Use{Grant: g, Op: op, Immediate: true}, prepared, in, sig)
}

// SignOp is a signature in several parts (C_SignInit, C_SignUpdate,
// C_SignFinal). It is safe for concurrent use, but parts have an order.
type SignOp struct {
	s    *Session
	g    engine.Grant
	size int

	mu   sync.Mutex
	in   input
	auth driver.Auth
	done bool
}

// NewSign begins a signature. The card is not reached. Close it, unless Sum
// was called. Errors: as of Sign.
func (s *Session) NewSign(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*SignOp, error) {
	const op = "sign"
	g, err := s.handle.Grant(ctx, op, key, engine.ToSign, m)
	if err != nil {
		return nil, err
	}
	in, err := s.newInput(ctx, op, g, m)
	if err != nil {
		return nil, err
	}
	return &SignOp{s: s, g: g, in: in, size: s.handle.SignatureSize(ctx, m, key)}, nil
}

// Write adds data. It never reaches the card. Errors:
// ckr.OperationNotInitialized after Sum or Close, ckr.DataLenRange.
func (o *SignOp) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return 0, ckr.New(ckr.OperationNotInitialized, "sign", nil)
	}
	if err := o.in.write("sign", p); err != nil {
		o.end()
		return 0, err
	}
	return len(p), nil
}

// Login gives the user's consent to this one signature (C_Login with
// CKU_CONTEXT_SPECIFIC). The PIN is verified at once, and again right before
// the card signs; the operation clears its own copy when it ends. A wrong PIN
// leaves the operation as it was. Errors: ckr.OperationNotInitialized if the
// key does not ask for it, ckr.PINIncorrect, ckr.PINLocked, ckr.PINLenRange.
func (o *SignOp) Login(ctx context.Context, p token.PIN) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return ckr.New(ckr.OperationNotInitialized, "login", nil)
	}
	return consent(ctx, o.s, o.g, &o.auth, p)
}

func consent(ctx context.Context, s *Session, g engine.Grant, a *driver.Auth, p token.PIN) error {
	if err := s.handle.Consent(ctx, g, p); err != nil {
		return err
	}
	a.Consent.Clear()
	if p.IsPad() {
		a.Consent = p
	} else {
		a.Consent = token.NewPIN(p.Reveal())
	}
	return nil
}

// Size is the length of the signature in bytes, 0 if not known before.
func (o *SignOp) Size() int { return o.size }

// Sum signs what was written and ends the operation, whatever the result.
func (o *SignOp) Sum(ctx context.Context) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return nil, ckr.New(ckr.OperationNotInitialized, "sign", nil)
	}
	defer o.end()
	u := engine.Use{Grant: o.g, Op: "sign", Auth: o.auth}
	if o.in.mac != nil {
		return o.s.handle.MACSum(ctx, u, o.in.mac)
	}
	return o.s.handle.Sign(ctx, u, o.in.m, o.in.sum())
}

// Close ends the operation without a result and clears what it holds. It does
// nothing after Sum.
func (o *SignOp) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
	return nil
}

func (o *SignOp) end() {
	o.done = true
	o.in.clear()
	o.auth.Consent.Clear()
}

// VerifyOp is a verification in several parts (C_VerifyInit, C_VerifyUpdate,
// C_VerifyFinal).
type VerifyOp struct {
	s *Session
	g engine.Grant

	mu   sync.Mutex
	in   input
	done bool
}

// NewVerify begins a verification. A public key on the card is read when it is
// used for the first time; otherwise the card is not reached. Errors: as of
// Verify.
func (s *Session) NewVerify(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*VerifyOp, error) {
	const op = "verify"
	g, err := s.handle.Grant(ctx, op, key, engine.ToVerify, m)
	if err != nil {
		return nil, err
	}
	in, err := s.newInput(ctx, op, g, m)
	if err != nil {
		return nil, err
	}
	return &VerifyOp{s: s, g: g, in: in}, nil
}

// Write adds data. Errors: ckr.OperationNotInitialized, ckr.DataLenRange.
func (o *VerifyOp) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return 0, ckr.New(ckr.OperationNotInitialized, "verify", nil)
	}
	if err := o.in.write("verify", p); err != nil {
		o.done = true
		o.in.clear()
		return 0, err
	}
	return len(p), nil
}

// Verify checks the signature of what was written and ends the operation.
// Errors: ckr.SignatureInvalid, ckr.SignatureLenRange.
func (o *VerifyOp) Verify(ctx context.Context, sig []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return ckr.New(ckr.OperationNotInitialized, "verify", nil)
	}
	defer func() { o.done = true; o.in.clear() }()
	u := engine.Use{Grant: o.g, Op: "verify"}
	if o.in.mac != nil {
		return o.s.handle.MACVerify(ctx, u, o.in.mac, sig)
	}
	return o.s.handle.Verify(ctx, u, o.in.m, o.in.sum(), sig)
}

// Close ends the operation without a result.
func (o *VerifyOp) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = true
	o.in.clear()
	return nil
}
