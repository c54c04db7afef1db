package session

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"io"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// ecKey signs by ECDSA.
type ecKey struct {
	bound
	pub *ecdsa.PublicKey
}

// ecdhKey agrees on secrets, too.
type ecdhKey struct {
	ecKey
	exchange *ecdh.PublicKey
}

// newECKey returns the Key for an EC key; curves that crypto/ecdh does not
// know only sign.
func newECKey(at bound, pub *ecdsa.PublicKey) Key {
	k := ecKey{at, pub}
	if exchange, err := pub.ECDH(); err == nil {
		return &ecdhKey{k, exchange}
	}
	return &k
}

func (k *ecKey) Public() crypto.PublicKey { return k.pub }

func (k *ecKey) WithContext(ctx context.Context) Key { return newECKey(bound{k.key, ctx}, k.pub) }

func (k *ecKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(k.ctx, digest, opts)
}

func (k *ecKey) SignMessage(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	if !isMissing(opts) && opts.HashFunc() == 0 {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "ECDSA signs a digest: name the hash")
	}
	digest, err := digestOf(msg, opts)
	if err != nil {
		return nil, err
	}
	return k.SignContext(k.ctx, digest, opts)
}

func (k *ecKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts != nil { // crypto/ecdsa does not need them
		if _, err := hashOf(digest, opts); err != nil {
			return nil, err
		}
	}
	sig, err := k.sign(ctx, mechanism.ECDSA{}, digest)
	if err != nil {
		return nil, err
	}
	return mechanism.ECDSAToASN1(sig)
}

// PublicKey implements ecdh.KeyExchanger.
func (k *ecdhKey) PublicKey() *ecdh.PublicKey { return k.exchange }

// Curve implements ecdh.KeyExchanger.
func (k *ecdhKey) Curve() ecdh.Curve { return k.exchange.Curve() }

// ECDH implements ecdh.KeyExchanger.
func (k *ecdhKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) { return k.exchangeWith(k.exchange, peer) }

func (b bound) exchangeWith(mine, peer *ecdh.PublicKey) ([]byte, error) {
	if peer == nil || peer.Curve() != mine.Curve() {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "derive", "the other public key is not of the curve %v", mine.Curve())
	}
	return b.agree(b.ctx, peer.Bytes())
}

// edKey signs by Ed25519.
type edKey struct {
	bound
	pub ed25519.PublicKey
}

func (k *edKey) Public() crypto.PublicKey { return k.pub }

func (k *edKey) WithContext(ctx context.Context) Key { return &edKey{bound{k.key, ctx}, k.pub} }

// Sign takes the message itself, or for Ed25519ph its SHA-512 digest, with the
// options of crypto/ed25519.
func (k *edKey) Sign(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(k.ctx, msg, opts)
}

func (k *edKey) SignMessage(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	digest, err := digestOf(msg, opts)
	if err != nil {
		return nil, err
	}
	return k.SignContext(k.ctx, digest, opts)
}

func (k *edKey) SignContext(ctx context.Context, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	h, err := hashOf(msg, opts)
	if err != nil {
		return nil, err
	}
	m := mechanism.EdDSA{}
	if o, ok := opts.(*ed25519.Options); ok && o != nil {
		m.Context = []byte(o.Context)
	}
	switch h {
	case 0:
	case crypto.SHA512:
		m.Prehash, m.Digested = true, true
	default:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "Ed25519 goes with SHA-512 or none, not %v", h)
	}
	return k.sign(ctx, m, msg)
}

// xKey agrees on secrets by X25519.
type xKey struct {
	bound
	pub *ecdh.PublicKey
}

func newXKey(at bound, pub crypto.PublicKey) (Key, bool) {
	x, ok := pub.(*ecdh.PublicKey)
	if !ok {
		return nil, false
	}
	return &xKey{at, x}, true
}

func (k *xKey) Public() crypto.PublicKey { return k.pub }

func (k *xKey) WithContext(ctx context.Context) Key { return &xKey{bound{k.key, ctx}, k.pub} }

func (k *xKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, ckr.Newf(ckr.KeyTypeInconsistent, "sign", "an X25519 key does not sign")
}

func (k *xKey) SignContext(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.Sign(nil, nil, nil)
}

// PublicKey implements ecdh.KeyExchanger.
func (k *xKey) PublicKey() *ecdh.PublicKey { return k.pub }

// Curve implements ecdh.KeyExchanger.
func (k *xKey) Curve() ecdh.Curve { return k.pub.Curve() }

// ECDH implements ecdh.KeyExchanger.
func (k *xKey) ECDH(peer *ecdh.PublicKey) ([]byte, error) { return k.exchangeWith(k.pub, peer) }
