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

// cipherOp is an encryption or a decryption in several parts. With a key in
// software it streams as far as the mechanism lets it; for a key on the card
// the data waits for the end.
type cipherOp struct {
	s       *Session
	g       engine.Grant
	m       mechanism.Mechanism
	name    string
	decrypt bool

	mu     sync.Mutex
	auth   driver.Auth
	stream engine.Stream
	data   []byte // for a key on the card, or one that waits for consent
	begun  bool
	done   bool
}

// EncryptOp is an encryption in several parts (C_EncryptInit,
// C_EncryptUpdate, C_EncryptFinal). It is safe for concurrent use, but parts
// have an order.
type EncryptOp struct{ cipherOp }

// DecryptOp is a decryption in several parts (C_DecryptInit,
// C_DecryptUpdate, C_DecryptFinal), or one that waits for the user's consent.
// It is safe for concurrent use, but parts have an order.
type DecryptOp struct{ cipherOp }

// NewEncrypt begins an encryption. The card is not reached. Close it, unless
// it came to its end. Errors: as of Encrypt.
func (s *Session) NewEncrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*EncryptOp, error) {
	const op = "encrypt"
	g, err := s.handle.Grant(ctx, op, key, engine.ToEncrypt, m)
	if err != nil {
		return nil, err
	}
	return &EncryptOp{cipherOp{s: s, g: g, m: m, name: op}}, nil
}

// NewDecrypt begins a decryption. The card is not reached. Close it, unless it
// came to its end. Errors: as of Decrypt.
func (s *Session) NewDecrypt(ctx context.Context, m mechanism.Mechanism, key *object.Object) (*DecryptOp, error) {
	const op = "decrypt"
	g, err := s.handle.Grant(ctx, op, key, engine.ToDecrypt, m)
	if err != nil {
		return nil, err
	}
	return &DecryptOp{cipherOp{s: s, g: g, m: m, name: op, decrypt: true}}, nil
}

// Encrypt encrypts data in one call and ends the operation. Errors:
// ckr.OperationActive once parts were given, and those of Session.Encrypt.
func (o *EncryptOp) Encrypt(ctx context.Context, data []byte) ([]byte, error) {
	return o.once(ctx, data)
}

// Decrypt decrypts data in one call and ends the operation. Errors:
// ckr.OperationActive once parts were given, and those of Session.Decrypt.
func (o *DecryptOp) Decrypt(ctx context.Context, data []byte) ([]byte, error) {
	return o.once(ctx, data)
}

// Login gives the user's consent to this one decryption; see SignOp.Login. It
// comes before the first part.
func (o *DecryptOp) Login(ctx context.Context, p token.PIN) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return ckr.New(ckr.OperationNotInitialized, "login", nil)
	}
	return consent(ctx, o.s, o.g, &o.auth, p)
}

func (o *cipherOp) once(ctx context.Context, data []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.live(); err != nil {
		return nil, err
	}
	defer o.end()
	switch {
	case o.begun:
		return nil, ckr.New(ckr.OperationActive, o.name, nil)
	case o.decrypt:
		return o.s.handle.Decrypt(ctx, o.use(), o.m, data)
	}
	return o.s.handle.Encrypt(ctx, o.use(), o.m, data)
}

func (o *cipherOp) live() error {
	if o.done {
		return ckr.New(ckr.OperationNotInitialized, o.name, nil)
	}
	return nil
}

// Update takes a part and returns what can be told already, which may be
// nothing: of authenticated data it is nothing before the end. The card is
// not reached. An error ends the operation. Errors:
// ckr.OperationNotInitialized, ckr.DataLenRange, ckr.EncryptedDataLenRange,
// and ckr.UserNotLoggedIn after a logout.
func (o *cipherOp) Update(ctx context.Context, part []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.live(); err != nil {
		return nil, err
	}
	o.begun = true
	if !o.g.Soft() || o.g.Consent() {
		return nil, o.keep(part)
	}
	out, err := o.s.handle.StreamUpdate(ctx, o.use(), &o.stream, o.m, o.decrypt, part)
	if err != nil {
		o.end()
	}
	return out, err
}

// keep holds data back until the end.
func (o *cipherOp) keep(part []byte) error {
	if len(part) > engine.MaxBuffered-len(o.data) {
		o.end()
		code := ckr.DataLenRange
		if o.decrypt {
			code = ckr.EncryptedDataLenRange
		}
		return ckr.Newf(code, o.name, "more than %d bytes", engine.MaxBuffered)
	}
	o.data = append(o.data, part...)
	return nil
}

// use is the use of the key that the operation is.
func (o *cipherOp) use() engine.Use { return engine.Use{Grant: o.g, Op: o.name, Auth: o.auth} }

// Final returns the rest and ends the operation, whatever the result. The card
// is reached if the key is on it. Errors: as of Session.Encrypt and Decrypt.
func (o *cipherOp) Final(ctx context.Context) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.live(); err != nil {
		return nil, err
	}
	defer o.end()
	switch {
	case o.g.Soft() && !o.g.Consent():
		return o.s.handle.StreamFinal(ctx, o.use(), &o.stream, o.m, o.decrypt)
	case o.decrypt:
		return o.s.handle.Decrypt(ctx, o.use(), o.m, o.data)
	}
	return o.s.handle.Encrypt(ctx, o.use(), o.m, o.data)
}

// Close ends the operation without a result and clears what it holds.
func (o *cipherOp) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end()
	return nil
}

func (o *cipherOp) end() {
	o.done = true
	o.auth.Consent.Clear()
	clear(o.data)
	o.stream.Clear()
	o.data = nil
}
