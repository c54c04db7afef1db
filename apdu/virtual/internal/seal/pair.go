package seal

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"errors"
)

// ErrDamaged says that something sealed is not what it was, or was sealed for
// another place.
var ErrDamaged = errors.New("sealed data is damaged or misplaced")

// Pair is a key pair to seal to, of which the private half may be unknown.
type Pair struct {
	public  hpke.PublicKey
	private hpke.PrivateKey // nil: not unlocked
}

// kem is that of P-256, which Go has also where it keeps to FIPS 140.
func kem() hpke.KEM { return hpke.DHKEM(ecdh.P256()) }

// NewPair makes a pair, both halves known.
func NewPair() (*Pair, error) {
	private, err := kem().GenerateKey()
	if err != nil {
		return nil, err
	}
	return &Pair{private.PublicKey(), private}, nil
}

// ParsePair reads the public half.
func ParsePair(public []byte) (*Pair, error) {
	p, err := kem().NewPublicKey(public)
	if err != nil {
		return nil, ErrDamaged
	}
	return &Pair{public: p}, nil
}

// Public returns the public half.
func (p *Pair) Public() []byte { return p.public.Bytes() }

// Unlocked tells whether the private half is known.
func (p *Pair) Unlocked() bool { return p != nil && p.private != nil }

// Private returns the private half, or nil if it is not known. It is the
// caller's to clear.
func (p *Pair) Private() []byte {
	if !p.Unlocked() {
		return nil
	}
	b, err := p.private.Bytes()
	if err != nil {
		return nil
	}
	return b
}

// Unlock makes the private half known. It fails if it is that of another
// pair.
func (p *Pair) Unlock(private []byte) error {
	k, err := kem().NewPrivateKey(private)
	if err != nil || !bytes.Equal(k.PublicKey().Bytes(), p.Public()) {
		return ErrDamaged
	}
	p.private = k
	return nil
}

// Seal closes a secret so that the private half opens it, under the same
// label only.
func (p *Pair) Seal(secret []byte, label string) ([]byte, error) {
	sealed, err := hpke.Seal(p.public, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(label), secret)
	if err != nil {
		return nil, ErrDamaged
	}
	return sealed, nil
}

// Open returns the secret, which is the caller's to clear.
func (p *Pair) Open(sealed []byte, label string) ([]byte, error) {
	if !p.Unlocked() {
		return nil, ErrDamaged
	}
	secret, err := hpke.Open(p.private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(label), sealed)
	if err != nil {
		return nil, ErrDamaged
	}
	return secret, nil
}
