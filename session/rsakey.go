package session

import (
	"context"
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"io"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
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
	h, err := hashOf(digest, opts)
	if err != nil {
		return nil, err
	}
	if pss, ok := opts.(*rsa.PSSOptions); ok {
		m, err := k.pss(h, pss)
		if err != nil {
			return nil, err
		}
		return k.sign(ctx, m, digest)
	}
	m, input, err := pkcs1(h, digest)
	if err != nil {
		return nil, err
	}
	return k.sign(ctx, m, input)
}

// pkcs1 returns how a digest is signed with PKCS #1 v1.5, as rsa.SignPKCS1v15
// does it: 0 means that the input is signed as it is. What no mechanism is made
// of, such as the digests of TLS 1.0, becomes a DigestInfo here.
func pkcs1(h crypto.Hash, digest []byte) (m mechanism.Mechanism, input []byte, err error) {
	if h == 0 || h != crypto.MD5 && mechanism.Permitted(h) {
		return mechanism.RSAPKCS{Hash: h, Digested: h != 0}, digest, nil
	}
	if fips140.Enforced() {
		return nil, nil, ckr.Newf(ckr.MechanismInvalid, "sign", "the FIPS 140 mode of this program forbids %v", h)
	}
	input, err = rsapad.DigestInfo(h, digest)
	return mechanism.RSAPKCS{}, input, err
}

// pss translates the options of PSS.
func (k *rsaKey) pss(h crypto.Hash, pss *rsa.PSSOptions) (mechanism.Mechanism, error) {
	if h == 0 {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "PSS needs a hash")
	}
	if !h.Available() {
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "sign", "PSS computes %v, which is not linked in; import its package", h)
	}
	m := mechanism.RSAPSS{Hash: h, Digested: true}
	switch {
	case pss.SaltLength == rsa.PSSSaltLengthAuto:
		m.Salt = (k.pub.N.BitLen()-1+7)/8 - h.Size() - 2
		if fips140.Enabled() { // as crypto/rsa has it, FIPS 186-5 §5.4
			m.Salt = min(m.Salt, h.Size())
		}
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
