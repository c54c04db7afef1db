package session

import (
	"context"
	"crypto"
	"crypto/rsa"
	"io"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// rsaKey signs and decrypts.
type rsaKey struct {
	bound
	pub *rsa.PublicKey
}

func (k *rsaKey) Public() crypto.PublicKey { return k.pub }

func (k *rsaKey) WithContext(ctx context.Context) Key { return &rsaKey{bound{k.key, ctx}, k.pub} }

func (k *rsaKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(k.ctx, digest, opts)
}

func (k *rsaKey) SignMessage(_ io.Reader, msg []byte, opts crypto.SignerOpts) ([]byte, error) {
	digest, err := digestOf(msg, opts)
	if err != nil {
		return nil, err
	}
	return k.SignContext(k.ctx, digest, opts)
}

func (k *rsaKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	m, err := k.signMechanism(digest, opts)
	if err != nil {
		return nil, err
	}
	return k.sign(ctx, m, digest)
}

// signMechanism translates the options of crypto/rsa.
func (k *rsaKey) signMechanism(digest []byte, opts crypto.SignerOpts) (mechanism.Mechanism, error) {
	h, err := hashOf(digest, opts)
	if err != nil {
		return nil, err
	}
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		return mechanism.RSAPKCS{Hash: h, Digested: h != 0}, nil
	}
	if h == 0 {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "PSS needs a hash")
	}
	m := mechanism.RSAPSS{Hash: h, Digested: true}
	switch {
	case pss.SaltLength == rsa.PSSSaltLengthAuto:
		m.Salt = (k.pub.N.BitLen()-1+7)/8 - h.Size() - 2
		if m.Salt <= 0 {
			m.Salt = mechanism.NoSalt
		}
	case pss.SaltLength > 0:
		m.Salt = pss.SaltLength
	case pss.SaltLength != rsa.PSSSaltLengthEqualsHash:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "salt length %d", pss.SaltLength)
	}
	return m, nil
}

// Decrypt implements crypto.Decrypter with the options of crypto/rsa. With a
// SessionKeyLen the result for a wrong padding is a random key, and takes the
// same time.
func (k *rsaKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	m, err := decryptMechanism(opts)
	if err != nil {
		return nil, err
	}
	return k.decrypt(k.ctx, m, ciphertext)
}

// decryptMechanism translates the options of crypto/rsa.
func decryptMechanism(opts crypto.DecrypterOpts) (mechanism.Mechanism, error) {
	switch o := opts.(type) {
	case nil:
		return mechanism.RSAPKCS{}, nil
	case *rsa.PKCS1v15DecryptOptions:
		if o == nil {
			return mechanism.RSAPKCS{}, nil
		}
		return mechanism.RSAPKCS{SessionKeyLen: o.SessionKeyLen}, nil
	case *rsa.OAEPOptions:
		if o == nil {
			return nil, ckr.Newf(ckr.ArgumentsBad, "decrypt", "no options given")
		}
		return mechanism.RSAOAEP{Hash: o.Hash, MGF: o.MGFHash, Label: o.Label}, nil
	}
	return nil, ckr.Newf(ckr.ArgumentsBad, "decrypt", "options of type %T", opts)
}
