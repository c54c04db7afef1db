package session

import (
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// SignMessages signs any number of messages with one key
// (C_MessageSignInit to C_MessageSignFinal, PKCS #11 v3.2 §5.13).
type SignMessages struct {
	s *Session
	g engine.Grant
	m mechanism.Mechanism

	mu   sync.Mutex
	done bool
}

// NewSignMessages begins to sign messages. Errors: as of Sign.
func (s *Session) NewSignMessages(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*SignMessages, error) {
	g, err := s.handle.Grant(ctx, "sign message", key, engine.ToSign, m)
	if err != nil {
		return nil, err
	}
	return &SignMessages{s: s, g: g, m: m}, nil
}

// Sign signs one message (C_SignMessage). Errors: as of Session.Sign,
// ckr.OperationNotInitialized after Close.
func (p *SignMessages) Sign(ctx context.Context, message []byte) ([]byte, error) {
	const op = "sign message"
	if p.closed() {
		return nil, ckr.New(ckr.OperationNotInitialized, op, nil)
	}
	m, in := prepare(p.m, message)
	return p.s.handle.Sign(ctx, engine.Use{Grant: p.g, Op: op}, m, in)
}

func (p *SignMessages) closed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Close ends the process (C_MessageSignFinal).
func (p *SignMessages) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	return nil
}

// VerifyMessages verifies signatures of any number of messages with one key
// (C_MessageVerifyInit to C_MessageVerifyFinal, PKCS #11 v3.2 §5.15).
type VerifyMessages struct {
	s *Session
	g engine.Grant
	m mechanism.Mechanism

	mu   sync.Mutex
	done bool
}

// NewVerifyMessages begins to verify messages. Errors: as of Verify.
func (s *Session) NewVerifyMessages(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*VerifyMessages, error) {
	g, err := s.handle.Grant(ctx, "verify message", key, engine.ToVerify, m)
	if err != nil {
		return nil, err
	}
	return &VerifyMessages{s: s, g: g, m: m}, nil
}

// Verify verifies the signature of one message (C_VerifyMessage). Errors: as
// of Session.Verify, ckr.OperationNotInitialized after Close.
func (p *VerifyMessages) Verify(ctx context.Context, message, sig []byte) error {
	const op = "verify message"
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done {
		return ckr.New(ckr.OperationNotInitialized, op, nil)
	}
	m, in := prepare(p.m, message)
	return p.s.handle.Verify(ctx, engine.Use{Grant: p.g, Op: op}, m, in, sig)
}

// Close ends the process (C_MessageVerifyFinal).
func (p *VerifyMessages) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	return nil
}
