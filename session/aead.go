package session

import (
	"bytes"
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// messages is a process that encrypts or decrypts any number of messages with
// one key, each with a nonce of its own and the tag apart.
type messages struct {
	s    *Session
	g    engine.Grant
	m    mechanism.Mechanism
	name string

	mu    sync.Mutex
	count uint64 // messages begun
	part  *message
	done  bool
}

// message is one that comes in parts.
type message struct{ nonce, aad, data []byte }

// EncryptMessages encrypts messages (C_MessageEncryptInit to
// C_MessageEncryptFinal, PKCS #11 v3.2 §5.9). It is safe for concurrent use;
// only one message at a time comes in parts.
type EncryptMessages struct{ *messages }

// DecryptMessages decrypts messages (C_MessageDecryptInit to
// C_MessageDecryptFinal, PKCS #11 v3.2 §5.11).
type DecryptMessages struct{ *messages }

// NewEncryptMessages begins to encrypt messages by GCM, CCM or
// ChaCha20-Poly1305, of which nonce and associated data are left out here.
// Errors: ckr.MechanismInvalid for other mechanisms, and those of Encrypt.
func (s *Session) NewEncryptMessages(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*EncryptMessages, error) {
	p, err := s.newMessages(ctx, "encrypt message", engine.ToEncrypt, m, key)
	if err != nil {
		return nil, err
	}
	return &EncryptMessages{p}, nil
}

// NewDecryptMessages begins to decrypt messages. Errors: as of
// NewEncryptMessages.
func (s *Session) NewDecryptMessages(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*DecryptMessages, error) {
	p, err := s.newMessages(ctx, "decrypt message", engine.ToDecrypt, m, key)
	if err != nil {
		return nil, err
	}
	return &DecryptMessages{p}, nil
}

func (s *Session) newMessages(ctx context.Context, op string, p engine.Purpose, m mechanism.Mechanism, key *object.Object) (*messages, error) {
	usual, _, ok := mechanism.ForMessage(m, make([]byte, 12), nil)
	if !ok {
		return nil, ckr.Newf(ckr.MechanismInvalid, op, "no mechanism for messages")
	}
	g, err := s.handle.Grant(ctx, op, key, p, usual)
	if err != nil {
		return nil, err
	}
	return &messages{s: s, g: g, m: m, name: op}, nil
}

// mechanism returns the mechanism for one message, and the use of the key.
func (p *messages) mechanism(nonce, aad []byte) (mechanism.Mechanism, engine.Use, error) {
	m, _, _ := mechanism.ForMessage(p.m, nonce, aad)
	return m, engine.Use{Grant: p.g, Op: p.name}, codes.Wrap(p.name, mechanism.Check(m))
}

// begin takes the next nonce.
func (p *messages) begin(n mechanism.Nonce) ([]byte, error) {
	switch {
	case p.done:
		return nil, ckr.New(ckr.OperationNotInitialized, p.name, nil)
	case p.part != nil:
		return nil, ckr.New(ckr.OperationActive, p.name, nil)
	}
	nonce, err := n.For(p.count)
	if err != nil {
		return nil, codes.Wrap(p.name, err)
	}
	p.count++
	return nonce, nil
}

// Encrypt encrypts one message (C_EncryptMessage). The nonce that was used
// comes back with the ciphertext; one that the token makes is new each time.
// Errors: ckr.MechanismParamInvalid, ckr.KeyExhausted at a counter's end,
// ckr.OperationNotInitialized after Close, ckr.OperationActive while a message
// comes in parts, ckr.UserNotLoggedIn.
func (p *EncryptMessages) Encrypt(ctx context.Context, n mechanism.Nonce, aad, plain []byte) (mechanism.Seal, error) {
	p.mu.Lock()
	nonce, err := p.begin(n)
	p.mu.Unlock()
	if err != nil {
		return mechanism.Seal{}, err
	}
	return p.seal(ctx, nonce, aad, plain)
}

func (p *EncryptMessages) seal(ctx context.Context, nonce, aad, plain []byte) (mechanism.Seal, error) {
	m, use, err := p.mechanism(nonce, aad)
	if err != nil {
		return mechanism.Seal{}, err
	}
	out, err := p.s.handle.Encrypt(ctx, use, m, plain)
	if err != nil {
		return mechanism.Seal{}, err
	}
	return mechanism.Seal{Nonce: bytes.Clone(nonce), Data: out[:len(plain):len(plain)], Tag: out[len(plain):]}, nil
}

// Begin begins a message in parts (C_EncryptMessageBegin). Errors: as of
// Encrypt.
func (p *EncryptMessages) Begin(n mechanism.Nonce, aad []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	nonce, err := p.begin(n)
	if err != nil {
		return err
	}
	p.part = &message{nonce: bytes.Clone(nonce), aad: bytes.Clone(aad)}
	return nil
}

// Next takes a part of the message (C_EncryptMessageNext), of which the
// ciphertext comes with the last. Errors: ckr.OperationNotInitialized,
// ckr.DataLenRange, which ends the message.
func (p *EncryptMessages) Next(part []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next(part, ckr.DataLenRange)
}

// Last takes the last part and ends the message (C_EncryptMessageNext with
// CKF_END_OF_MESSAGE).
func (p *EncryptMessages) Last(ctx context.Context, part []byte) (mechanism.Seal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.next(part, ckr.DataLenRange); err != nil {
		return mechanism.Seal{}, err
	}
	defer p.drop()
	return p.seal(ctx, p.part.nonce, p.part.aad, p.part.data)
}

func (p *messages) next(part []byte, code ckr.Code) error {
	switch {
	case p.done || p.part == nil:
		return ckr.New(ckr.OperationNotInitialized, p.name, nil)
	case len(part) > engine.MaxBuffered-len(p.part.data):
		p.drop()
		return ckr.Newf(code, p.name, "more than %d bytes", engine.MaxBuffered)
	}
	p.part.data = append(p.part.data, part...)
	return nil
}

// drop forgets the message that comes in parts.
func (p *messages) drop() {
	if p.part != nil {
		clear(p.part.data)
		p.part = nil
	}
}

// Decrypt decrypts one message (C_DecryptMessage). Errors:
// ckr.AEADDecryptFailed, ckr.MechanismParamInvalid, and those of Encrypt.
func (p *DecryptMessages) Decrypt(ctx context.Context, seal mechanism.Seal, aad []byte) ([]byte, error) {
	p.mu.Lock()
	_, err := p.begin(mechanism.Nonce{})
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return p.open(ctx, seal, aad)
}

func (p *DecryptMessages) open(ctx context.Context, seal mechanism.Seal, aad []byte) ([]byte, error) {
	if _, tag, _ := mechanism.ForMessage(p.m, seal.Nonce, aad); len(seal.Tag) != tag {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, p.name, "a tag of %d bytes, want %d", len(seal.Tag), tag)
	}
	m, use, err := p.mechanism(seal.Nonce, aad)
	if err != nil {
		return nil, err
	}
	plain, err := p.s.handle.Decrypt(ctx, use, m, append(bytes.Clone(seal.Data), seal.Tag...))
	if ckr.Of(err) == ckr.EncryptedDataInvalid {
		return nil, ckr.New(ckr.AEADDecryptFailed, p.name, nil)
	}
	return plain, err
}

// Begin begins a message in parts (C_DecryptMessageBegin).
func (p *DecryptMessages) Begin(nonce, aad []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.begin(mechanism.Nonce{}); err != nil {
		return err
	}
	p.part = &message{nonce: bytes.Clone(nonce), aad: bytes.Clone(aad)}
	return nil
}

// Next takes a part of the message (C_DecryptMessageNext). Nothing is told
// before the tag is known to be good.
func (p *DecryptMessages) Next(part []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next(part, ckr.EncryptedDataLenRange)
}

// Last takes the last part and the tag, and ends the message
// (C_DecryptMessageNext with CKF_END_OF_MESSAGE). Errors: as of Decrypt.
func (p *DecryptMessages) Last(ctx context.Context, part, tag []byte) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.next(part, ckr.EncryptedDataLenRange); err != nil {
		return nil, err
	}
	defer p.drop()
	return p.open(ctx, mechanism.Seal{Nonce: p.part.nonce, Data: p.part.data, Tag: tag}, p.part.aad)
}

// Close ends the process (C_MessageEncryptFinal, C_MessageDecryptFinal) and
// clears what it holds.
func (p *messages) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = true
	p.drop()
	return nil
}
