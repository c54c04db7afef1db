package session

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"io"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// Key is a private key as the Go standard library takes it. It is safe for
// concurrent use. The key itself stays where it is.
//
// A Key of an RSA key is a crypto.Decrypter, too. Signatures have the form
// that the standard library gives them: ECDSA in ASN.1.
type Key interface {
	crypto.Signer
	// SignContext is Sign with a context. It does not use rand; the card has
	// a generator of its own.
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// Key returns the private key priv for the standard library. Its public key
// comes from the private key's own attributes, or from a public key or a
// certificate with the same CKA_ID that the session sees. Errors:
// ckr.KeyHandleInvalid, ckr.KeyTypeInconsistent for a key that is neither RSA
// nor EC, ckr.KeyNeeded if there is no public key.
func (s *Session) Key(ctx context.Context, priv *object.Object) (Key, error) {
	pub, err := s.publicOf(ctx, priv)
	if err != nil {
		return nil, err
	}
	return NewKey(ctx, pub, func(context.Context) (*Session, *object.Object, error) { return s, priv, nil })
}

// NewKey returns a Key for the private key that belongs to pub. It calls
// reopen for a session and the private key's handle, at first use and again
// when they have become void. Errors: ckr.KeyTypeInconsistent.
func NewKey(_ context.Context, pub crypto.PublicKey, reopen func(ctx context.Context) (*Session, *object.Object, error)) (Key, error) {
	k := &key{reopen: reopen}
	switch pub := pub.(type) {
	case *rsa.PublicKey:
		return &rsaKey{key: k, pub: pub}, nil
	case *ecdsa.PublicKey:
		return &ecKey{key: k, pub: pub}, nil
	}
	return nil, ckr.Newf(ckr.KeyTypeInconsistent, "key", "%T", pub)
}

// key finds the session and the object for each use.
type key struct {
	reopen func(ctx context.Context) (*Session, *object.Object, error)

	mu sync.Mutex
	s  *Session
	o  *object.Object
}

// use runs f with the key's handle. A handle that turns out to be void is
// replaced once.
func (k *key) use(ctx context.Context, f func(s *Session, o *object.Object) error) error {
	s, o, err := k.current(ctx, nil)
	if err != nil {
		return err
	}
	err = f(s, o)
	switch ckr.Of(err) {
	case ckr.SessionHandleInvalid, ckr.KeyHandleInvalid, ckr.ObjectHandleInvalid:
		again, o2, err2 := k.current(ctx, o)
		if err2 != nil || again == s && o2 == o {
			return err
		}
		return f(again, o2)
	}
	return err
}

// current returns the handle in use, a new one if that is void.
func (k *key) current(ctx context.Context, void *object.Object) (*Session, *object.Object, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.o == void {
		s, o, err := k.reopen(ctx)
		if err != nil {
			return nil, nil, err
		}
		k.s, k.o = s, o
	}
	return k.s, k.o, nil
}

type rsaKey struct {
	*key
	pub *rsa.PublicKey
}

func (k *rsaKey) Public() crypto.PublicKey { return k.pub }

func (k *rsaKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

func (k *rsaKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	m, err := k.mechanism(digest, opts)
	if err != nil {
		return nil, err
	}
	err = k.use(ctx, func(s *Session, o *object.Object) (err error) {
		sig, err = s.Sign(ctx, m, o, digest)
		return err
	})
	return sig, err
}

// mechanism translates the options of crypto/rsa.
func (k *rsaKey) mechanism(digest []byte, opts crypto.SignerOpts) (mechanism.Mechanism, error) {
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

// hashOf returns the hash that opts name and checks the digest's length.
func hashOf(digest []byte, opts crypto.SignerOpts) (crypto.Hash, error) {
	if pss, ok := opts.(*rsa.PSSOptions); opts == nil || ok && pss == nil {
		return 0, ckr.Newf(ckr.ArgumentsBad, "sign", "no options given")
	}
	h := opts.HashFunc()
	if h != 0 && len(digest) != h.Size() {
		return 0, ckr.Newf(ckr.DataLenRange, "sign", "a digest of %v has %d bytes, not %d", h, h.Size(), len(digest))
	}
	return h, nil
}

// Decrypt implements crypto.Decrypter with the options of crypto/rsa. With a
// SessionKeyLen the result for a wrong padding is a random key, and takes the
// same time.
func (k *rsaKey) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) (plain []byte, err error) {
	ctx := context.Background()
	var m mechanism.Mechanism
	sessionKey := 0
	switch o := opts.(type) {
	case nil:
		m = mechanism.RSAPKCS{}
	case *rsa.PKCS1v15DecryptOptions:
		m = mechanism.RSAPKCS{}
		if o != nil && o.SessionKeyLen > 0 {
			sessionKey = o.SessionKeyLen
			m = mechanism.RSAX509{}
		}
	case *rsa.OAEPOptions:
		if o == nil {
			return nil, ckr.Newf(ckr.ArgumentsBad, "decrypt", "no options given")
		}
		m = mechanism.RSAOAEP{Hash: o.Hash, MGF: o.MGFHash, Label: o.Label}
	default:
		return nil, ckr.Newf(ckr.ArgumentsBad, "decrypt", "options of type %T", opts)
	}
	err = k.use(ctx, func(s *Session, o *object.Object) (err error) {
		plain, err = s.Decrypt(ctx, m, o, ciphertext)
		return err
	})
	if err != nil || sessionKey == 0 {
		return plain, err
	}
	defer clear(plain)
	return rsapad.SessionKey(plain, sessionKey)
}

type ecKey struct {
	*key
	pub *ecdsa.PublicKey
}

func (k *ecKey) Public() crypto.PublicKey { return k.pub }

func (k *ecKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.SignContext(context.Background(), digest, opts)
}

func (k *ecKey) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) (sig []byte, err error) {
	if _, err := hashOf(digest, opts); err != nil {
		return nil, err
	}
	err = k.use(ctx, func(s *Session, o *object.Object) (err error) {
		sig, err = s.Sign(ctx, mechanism.ECDSA{}, o, digest)
		return err
	})
	if err != nil {
		return nil, err
	}
	return mechanism.ECDSAToASN1(sig)
}

// publicOf finds the public key that belongs to a private key.
func (s *Session) publicOf(ctx context.Context, priv *object.Object) (crypto.PublicKey, error) {
	const op = "key"
	if priv.Class() != object.ClassPrivateKey {
		return nil, ckr.Newf(ckr.KeyHandleInvalid, op, "%v is no private key", priv)
	}
	own, err := s.template(ctx, priv, object.AttrKeyType.Type, object.AttrID.Type, object.AttrModulus.Type,
		object.AttrPublicExponent.Type, object.AttrPublicKeyInfo.Type)
	if err != nil {
		return nil, err
	}
	if pub, err := soft.PublicKey(own); err == nil {
		return pub, nil
	}
	id, ok := object.In(own, object.AttrID)
	if !ok || len(id) == 0 {
		return nil, ckr.Newf(ckr.KeyNeeded, op, "the private key has neither a public key nor an id")
	}
	for _, class := range []object.Class{object.ClassPublicKey, object.ClassCertificate} {
		for o, err := range s.Find(ctx, object.AttrClass.Is(class), object.AttrID.Is(id)) {
			if err != nil {
				return nil, err
			}
			t, err := s.template(ctx, o)
			if err != nil {
				continue
			}
			if pub, err := soft.PublicKey(t); err == nil && sameType(pub, own) {
				return pub, nil
			}
		}
	}
	return nil, ckr.Newf(ckr.KeyNeeded, op, "no public key or certificate has the id %x", id)
}

// sameType reports whether a public key can belong to a private key.
func sameType(pub crypto.PublicKey, priv object.Template) bool {
	kt, _ := object.In(priv, object.AttrKeyType)
	switch pub.(type) {
	case *rsa.PublicKey:
		return kt == object.KeyRSA
	case *ecdsa.PublicKey:
		return kt == object.KeyEC
	}
	return false
}

// template reads attributes and leaves out those that cannot be had.
func (s *Session) template(ctx context.Context, o *object.Object, types ...object.Type) (object.Template, error) {
	all, err := s.Attributes(ctx, o, types...)
	if err != nil {
		return nil, err
	}
	var t object.Template
	for _, v := range all {
		if v.Code == ckr.OK {
			t = append(t, v.Attribute)
		}
	}
	return t, nil
}
