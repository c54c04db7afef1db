package session

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Key is a private key as the Go standard library takes it. It is safe for
// any number of goroutines, which share one session. The key itself stays
// where it is.
//
// By the type of the key, a Key is more than a crypto.Signer:
//
//	RSA             crypto.Decrypter, crypto.MessageSigner
//	P-256 to P-521  ecdh.KeyExchanger, crypto.MessageSigner
//	Ed25519         crypto.MessageSigner
//	X25519          ecdh.KeyExchanger; Sign is an error
//	ML-KEM          crypto.Decapsulator; Sign is an error
//
// Signatures have the form that the standard library gives them: ECDSA in
// ASN.1. Methods without a context use that of WithContext.
//
// Options are those that the standard library's own keys take. An RSA key signs
// with PKCS #1 v1.5 the digests of all hash functions that crypto/rsa signs
// with, also crypto.MD5SHA1 of TLS 1.0 and 1.1, and the hash function of a
// digest that is given need not be linked into the program; PSS needs it
// linked. An ECDSA key signs a digest without options, too. Where crypto/rsa
// and crypto/ed25519 panic, on missing options or an unknown hash function,
// and where a digest has not the length of its hash, the result is an error:
// ckr.ArgumentsBad, ckr.MechanismParamInvalid, ckr.DataLenRange.
type Key interface {
	crypto.Signer
	// SignContext is Sign with a context. There is no rand: the card has a
	// generator of its own.
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
	// WithContext returns the same key with a context for the methods that
	// take none.
	WithContext(ctx context.Context) Key
}

// KeyOption changes a Key.
type KeyOption func(*key)

// WithConsent says how the user consents to one use of a key with
// CKA_ALWAYS_AUTHENTICATE: ask gets the PIN that the request is about, hands it
// to login, which verifies it at once, clears it, and returns login's error or
// its own. It is called once for each use, with no lock held. Without it such
// keys answer ckr.UserNotLoggedIn.
func WithConsent(ask func(ctx context.Context, r token.PINRequest, login func(token.PIN) error) error) KeyOption {
	return func(k *key) { k.consent = ask }
}

// Key returns the private key priv for the standard library. Its public key
// comes from the private key's own attributes, or from a public key or a
// certificate with the same CKA_ID that the session sees. The Key lives as
// long as the session and the handle do. Errors: ckr.KeyHandleInvalid,
// ckr.KeyTypeInconsistent for a type of key that the standard library does not
// know, ckr.KeyNeeded if there is no public key.
func (s *Session) Key(ctx context.Context, priv *object.Object, opts ...KeyOption) (Key, error) {
	pub, err := s.PublicKey(ctx, priv)
	if err != nil {
		return nil, err
	}
	return NewKey(ctx, pub, func(context.Context) (*Session, *object.Object, error) { return s, priv, nil }, opts...)
}

// NewKey returns a Key for the private key that belongs to pub. It calls
// reopen for a session and the private key's handle: at first use, and again
// when what it returned has become void, by a logout, a reset or the card's
// removal. A reopen that returns what is void ends the attempts. Errors:
// ckr.KeyTypeInconsistent.
func NewKey(_ context.Context, pub crypto.PublicKey, reopen func(ctx context.Context) (*Session, *object.Object, error), opts ...KeyOption) (Key, error) {
	k := &key{reopen: reopen, gate: make(chan struct{}, 1)}
	for _, o := range opts {
		o(k)
	}
	at := bound{k, context.Background()}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return &rsaKey{at, pub}, nil
	case *ecdsa.PublicKey:
		return newECKey(at, pub), nil
	case ed25519.PublicKey:
		return &edKey{at, pub}, nil
	}
	if x, ok := newXKey(at, pub); ok {
		return x, nil
	}
	if k, ok := newKEMKey(at, pub); ok {
		return k, nil
	}
	return nil, ckr.Newf(ckr.KeyTypeInconsistent, "key", "%T", pub)
}

// key finds the session and the object for each use.
type key struct {
	reopen  func(ctx context.Context) (*Session, *object.Object, error)
	consent func(ctx context.Context, r token.PINRequest, login func(token.PIN) error) error

	now  atomic.Pointer[place]
	gate chan struct{} // held by the one that reopens
}

// place is where the key is at present.
type place struct {
	s       *Session
	o       *object.Object
	consent bool
	label   string
}

// bound is a key with a context for the methods that take none.
type bound struct {
	*key
	ctx context.Context
}

// maxAttempts bounds how often one use finds its place void. A card that is
// reset over and over is an error some time: ckr.DeviceError.
const maxAttempts = 16

// use runs f with the key's place, again if that turns out to be void or the
// card was reset in between. What f does may be done twice; only the answer of
// the last time counts.
func (k *key) use(ctx context.Context, f func(p *place) error) error {
	var void *place
	var failed error
	for range maxAttempts {
		p, err := k.at(ctx, void)
		if err != nil {
			return err
		}
		if p == nil { // there is no other place
			return failed
		}
		if failed = f(p); failed == nil {
			return nil
		}
		switch {
		case ctx.Err() != nil && isVoid(failed): // for another place there is no time
			return ckr.New(ckr.FunctionCanceled, "key", fmt.Errorf("%w: %w", ctx.Err(), failed))
		case ctx.Err() != nil:
			return failed
		case isVoid(failed):
			void = p
		case !errors.Is(failed, apdu.ErrReset):
			return failed
		}
	}
	return ckr.Newf(ckr.DeviceError, "key", "lost again and again: %w", failed)
}

func isVoid(err error) bool {
	switch ckr.Of(err) {
	case ckr.SessionHandleInvalid, ckr.KeyHandleInvalid, ckr.ObjectHandleInvalid, ckr.UserNotLoggedIn,
		ckr.DeviceRemoved, ckr.TokenNotPresent, ckr.CryptokiNotInitialized:
		return true
	}
	return false
}

// at returns the key's place, another one than void; nil if reopen knows no
// other. One caller reopens, the others wait for it.
func (k *key) at(ctx context.Context, void *place) (*place, error) {
	if p := k.now.Load(); p != nil && p != void {
		return p, nil
	}
	select {
	case k.gate <- struct{}{}:
		defer func() { <-k.gate }()
	case <-ctx.Done():
		return nil, ckr.New(ckr.FunctionCanceled, "key", ctx.Err())
	}
	if p := k.now.Load(); p != nil && p != void {
		return p, nil
	}
	s, o, err := k.reopen(ctx)
	if err != nil {
		return nil, err
	}
	if void != nil && s == void.s && o == void.o {
		return nil, nil
	}
	p := &place{s: s, o: o}
	known, _ := s.handle.Known(o) // a handle that is void already shows in use
	p.consent = object.Is(known, object.AttrAlwaysAuthenticate)
	p.label, _ = object.In(known, object.AttrLabel)
	k.now.Store(p)
	return p, nil
}

// sign signs with a mechanism.
func (k *key) sign(ctx context.Context, m mechanism.Mechanism, input []byte) (sig []byte, err error) {
	err = k.use(ctx, func(p *place) (err error) {
		if p.consent && k.consent != nil {
			sig, err = k.signWithConsent(ctx, p, m, input)
			return err
		}
		sig, err = p.s.Sign(ctx, m, p.o, input)
		return err
	})
	return sig, err
}

func (k *key) signWithConsent(ctx context.Context, p *place, m mechanism.Mechanism, input []byte) ([]byte, error) {
	op, err := p.s.NewSign(ctx, m, p.o)
	if err != nil {
		return nil, err
	}
	defer op.Close()
	if _, err := op.Write(input); err != nil {
		return nil, err
	}
	if err := k.ask(ctx, p, func(pin token.PIN) error { return op.Login(ctx, pin) }); err != nil {
		return nil, err
	}
	return op.Sum(ctx)
}

// ask asks for the user's consent to one use of the key.
func (k *key) ask(ctx context.Context, p *place, login func(token.PIN) error) error {
	r, err := p.s.handle.PINRequest(ctx, token.ReasonConsent, token.ContextSpecific)
	if err != nil {
		return err
	}
	r.Key = p.label
	return k.consent(ctx, r, login)
}

// decrypt decrypts with a mechanism.
func (k *key) decrypt(ctx context.Context, m mechanism.Mechanism, data []byte) (plain []byte, err error) {
	err = k.use(ctx, func(p *place) (err error) {
		if !p.consent || k.consent == nil {
			plain, err = p.s.Decrypt(ctx, m, p.o, data)
			return err
		}
		op, err := p.s.NewDecrypt(ctx, m, p.o)
		if err != nil {
			return err
		}
		defer op.Close()
		if err := k.ask(ctx, p, func(pin token.PIN) error { return op.Login(ctx, pin) }); err != nil {
			return err
		}
		plain, err = op.Decrypt(ctx, data)
		return err
	})
	return plain, err
}

// agree agrees on a secret with another party's public value; the caller
// clears it.
func (k *key) agree(ctx context.Context, peer []byte) (secret []byte, err error) {
	m := mechanism.ECDH{Public: peer}
	err = k.use(ctx, func(p *place) (err error) {
		secret, err = k.agreeAt(ctx, p, m)
		return err
	})
	return secret, err
}

func (k *key) agreeAt(ctx context.Context, p *place, m mechanism.ECDH) (secret []byte, err error) {
	const op = "derive"
	s := p.s
	g, err := s.handle.Grant(ctx, op, p.o, engine.ToDerive, m)
	if err != nil {
		return nil, err
	}
	var auth driver.Auth
	defer func() { auth.Consent.Clear() }()
	if p.consent && k.consent != nil {
		err := k.ask(ctx, p, func(pin token.PIN) error { return consent(ctx, s, g, &auth, pin) })
		if err != nil {
			return nil, err
		}
	}
	return s.handle.Agree(ctx, engine.Use{Grant: g, Op: op, Auth: auth}, m)
}

// hashOf returns the hash that opts name and checks the digest's length. The
// hash need not be linked into the program, for the digest is given.
func hashOf(digest []byte, opts crypto.SignerOpts) (crypto.Hash, error) {
	if isMissing(opts) {
		return 0, ckr.Newf(ckr.ArgumentsBad, "sign", "no options given")
	}
	h := opts.HashFunc()
	if h == 0 {
		return 0, nil
	}
	if !isHash(h) {
		return 0, ckr.Newf(ckr.MechanismParamInvalid, "sign", "no hash function has the number %d", h)
	}
	if len(digest) != h.Size() {
		return 0, ckr.Newf(ckr.DataLenRange, "sign", "a digest of %v has %d bytes, not %d", h, h.Size(), len(digest))
	}
	return h, nil
}

// isHash reports whether a hash function is one that package crypto knows, so
// that its length can be had without a panic.
func isHash(h crypto.Hash) bool { return h > 0 && h <= crypto.BLAKE2b_512 || h.Available() }

// isMissing reports whether there are no options: nil, or a nil pointer.
func isMissing(opts crypto.SignerOpts) bool {
	if opts == nil {
		return true
	}
	v := reflect.ValueOf(opts)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// digestOf hashes a message as opts say, for SignMessage.
func digestOf(msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if isMissing(opts) {
		return nil, ckr.Newf(ckr.ArgumentsBad, "sign", "no options given")
	}
	h := opts.HashFunc()
	switch {
	case h == 0:
		return msg, nil
	case !h.Available():
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "the hash function %v is not linked in; import its package", h)
	}
	d := h.New()
	d.Write(msg)
	return d.Sum(nil), nil
}
