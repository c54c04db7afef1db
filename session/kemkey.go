package session

import (
	"context"
	"crypto"
	"crypto/mlkem"
	"io"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// kemKey decapsulates secrets by ML-KEM.
type kemKey struct {
	bound
	pub crypto.Encapsulator
}

func newKEMKey(at bound, pub crypto.PublicKey) (Key, bool) {
	switch pub := pub.(type) {
	case *mlkem.EncapsulationKey768:
		return &kemKey{at, pub}, true
	case *mlkem.EncapsulationKey1024:
		return &kemKey{at, pub}, true
	}
	return nil, false
}

func (k *kemKey) Public() crypto.PublicKey { return k.pub }

func (k *kemKey) WithContext(ctx context.Context) Key { return &kemKey{bound{k.key, ctx}, k.pub} }

func (k *kemKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, ckr.Newf(ckr.KeyTypeInconsistent, "sign", "an ML-KEM key does not sign")
}

func (k *kemKey) SignContext(context.Context, []byte, crypto.SignerOpts) ([]byte, error) {
	return k.Sign(nil, nil, nil)
}

// Encapsulator implements crypto.Decapsulator.
func (k *kemKey) Encapsulator() crypto.Encapsulator { return k.pub }

// Decapsulate implements crypto.Decapsulator. The caller clears the secret.
func (k *kemKey) Decapsulate(ciphertext []byte) (secret []byte, err error) {
	err = k.use(k.ctx, func(p *place) (err error) {
		secret, err = p.s.decapsulate(k.ctx, p.o, ciphertext)
		return err
	})
	return secret, err
}
