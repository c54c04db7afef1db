package engine

import (
	"context"
	"crypto"
	"hash"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// The operations with keys. Each decides where the key is used: on the card if
// the card holds it and the Backend has the capability, in software if it is a
// session key or a public key. The grant is checked again inside the
// transaction. All return the errors of use and those of the computation.

// Use is one use of a key under a grant.
type Use struct {
	Grant
	Op   string      // the operation, as errors name it
	Auth driver.Auth // what the card demands beyond the login

	// Immediate says that the grant was given by the same call, so that the
	// session need not be checked again.
	Immediate bool
}

// errNotOnCard is what a card answers that does not do an operation.
func errNotOnCard() error { return ckr.New(ckr.FunctionNotSupported, "", nil) }

// Sign returns the signature or authentication code of input, of which
// mechanism.Prehash says whether it is a digest.
func (s *Session) Sign(ctx context.Context, u Use, m mechanism.Mechanism, input []byte) ([]byte, error) {
	if u.Immediate && u.InSession() {
		return u.compute(soft.Sign, m, input)
	}
	return s.produce(ctx, u, func(ctx context.Context, b driver.Backend, ref driver.Ref) ([]byte, error) {
		signer, ok := b.(driver.Signer)
		if !ok {
			return nil, errNotOnCard()
		}
		return signer.Sign(ctx, ref, m, input, u.Auth)
	}, func(k *soft.Material) ([]byte, error) { return soft.Sign(k, m, input) })
}

// Verify checks a signature, in software.
func (s *Session) Verify(ctx context.Context, u Use, m mechanism.Mechanism, input, sig []byte) error {
	if u.Immediate && u.InSession() {
		_, err := u.compute(func(k *soft.Material, m mechanism.Mechanism, input []byte) ([]byte, error) {
			return nil, soft.Verify(k, m, input, sig)
		}, m, input)
		return err
	}
	return s.use(ctx, u, cardsDoNotVerify, func(k *soft.Material) error { return soft.Verify(k, m, input, sig) })
}

func cardsDoNotVerify(context.Context, driver.Backend, driver.Ref) error {
	return ckr.Newf(ckr.FunctionNotSupported, "", "cards do not verify")
}

// Recover verifies a signature and returns the data in it, in software.
func (s *Session) Recover(ctx context.Context, u Use, m mechanism.Mechanism, sig []byte) (data []byte, err error) {
	err = s.use(ctx, u, cardsDoNotVerify, func(k *soft.Material) (err error) {
		data, err = soft.Recover(k, m, sig)
		return err
	})
	return data, err
}

// Encrypt encrypts data.
func (s *Session) Encrypt(ctx context.Context, u Use, m mechanism.Mechanism, data []byte) ([]byte, error) {
	if u.Immediate && u.InSession() {
		return u.compute(soft.Encrypt, m, data)
	}
	return s.produce(ctx, u, func(ctx context.Context, b driver.Backend, ref driver.Ref) ([]byte, error) {
		e, ok := b.(driver.Encrypter)
		if !ok {
			return nil, errNotOnCard()
		}
		return e.Encrypt(ctx, ref, m, data, u.Auth)
	}, func(k *soft.Material) ([]byte, error) { return soft.Encrypt(k, m, data) })
}

// Decrypt decrypts data.
func (s *Session) Decrypt(ctx context.Context, u Use, m mechanism.Mechanism, data []byte) ([]byte, error) {
	if u.Immediate && u.InSession() {
		return u.compute(soft.Decrypt, m, data)
	}
	return s.produce(ctx, u, func(ctx context.Context, b driver.Backend, ref driver.Ref) ([]byte, error) {
		d, ok := b.(driver.Decrypter)
		if !ok {
			return nil, errNotOnCard()
		}
		return d.Decrypt(ctx, ref, m, data, u.Auth)
	}, func(k *soft.Material) ([]byte, error) { return soft.Decrypt(k, m, data) })
}

// Agree returns the bare secret of a key agreement, for the caller to clear.
func (s *Session) Agree(ctx context.Context, u Use, m mechanism.ECDH) ([]byte, error) {
	return s.produce(ctx, u, func(ctx context.Context, b driver.Backend, ref driver.Ref) ([]byte, error) {
		d, ok := b.(driver.Deriver)
		if !ok {
			return nil, errNotOnCard()
		}
		return d.Derive(ctx, ref, m, u.Auth)
	}, func(k *soft.Material) ([]byte, error) { return soft.Derive(k, m) })
}

// produce is use for operations that return bytes, which are cleared if an error
// comes with them.
func (s *Session) produce(ctx context.Context, u Use,
	card func(ctx context.Context, b driver.Backend, ref driver.Ref) ([]byte, error),
	software func(*soft.Material) ([]byte, error)) (out []byte, err error) {
	err = s.use(ctx, u, func(ctx context.Context, b driver.Backend, ref driver.Ref) (err error) {
		out, err = card(ctx, b, ref)
		return err
	}, func(k *soft.Material) (err error) {
		out, err = software(k)
		return err
	})
	if err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

// inSoftware is use for a key that is not on the card.
func (s *Session) inSoftware(ctx context.Context, u Use, f func(*soft.Material) error) error {
	return s.use(ctx, u, func(context.Context, driver.Backend, driver.Ref) error { return errNotOnCard() }, f)
}

// MAC is a message authentication code that is computed in parts, with a key of
// a session. It is a hash.Hash to write to.
type MAC struct {
	hash.Hash
	m mechanism.Mechanism
}

// NewMAC begins a message authentication code in parts. It returns nil if the key
// or the mechanism needs all data at once.
func (s *Session) NewMAC(ctx context.Context, u Use, m mechanism.Mechanism) (mac *MAC, err error) {
	if !u.InSession() || !soft.Streams(m) {
		return nil, nil
	}
	err = s.inSoftware(ctx, u, func(k *soft.Material) error {
		h, err := soft.NewMAC(k, m)
		mac = &MAC{h, m}
		return err
	})
	return mac, err
}

// MACSum returns the code of what was written.
func (s *Session) MACSum(ctx context.Context, u Use, mac *MAC) (code []byte, err error) {
	err = s.inSoftware(ctx, u, func(*soft.Material) error {
		code = soft.Code(mac.m, mac.Hash)
		return nil
	})
	return code, err
}

// MACVerify compares a code with that of what was written.
func (s *Session) MACVerify(ctx context.Context, u Use, mac *MAC, code []byte) error {
	return s.inSoftware(ctx, u, func(*soft.Material) error { return soft.VerifyCode(mac.m, mac.Hash, code) })
}

// Stream is an encryption or decryption in parts with a key in software. The zero
// value has not begun.
type Stream struct{ s soft.Stream }

// Clear overwrites what the stream holds.
func (c *Stream) Clear() {
	if c.s != nil {
		c.s.Clear()
	}
	c.s = nil
}

// MaxBuffered is how many bytes an operation in parts holds back at most.
const MaxBuffered = soft.MaxBuffered

// StreamUpdate encrypts or decrypts a part and returns what is known already; the
// first call begins the stream.
func (s *Session) StreamUpdate(ctx context.Context, u Use, c *Stream, m mechanism.Mechanism, decrypt bool, part []byte) ([]byte, error) {
	return s.stream(ctx, u, c, m, decrypt, func() ([]byte, error) { return c.s.Update(part) })
}

// StreamFinal returns the rest.
func (s *Session) StreamFinal(ctx context.Context, u Use, c *Stream, m mechanism.Mechanism, decrypt bool) ([]byte, error) {
	return s.stream(ctx, u, c, m, decrypt, func() ([]byte, error) { return c.s.Final() })
}

func (s *Session) stream(ctx context.Context, u Use, c *Stream, m mechanism.Mechanism, decrypt bool, step func() ([]byte, error)) (out []byte, err error) {
	err = s.inSoftware(ctx, u, func(k *soft.Material) (err error) {
		if c.s == nil {
			begin := soft.NewEncrypter
			if decrypt {
				begin = soft.NewDecrypter
			}
			if c.s, err = begin(k, m); err != nil {
				return err
			}
		}
		out, err = step()
		return err
	})
	if err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

// NewHash returns the hash function of a digest mechanism. Errors:
// ckr.MechanismInvalid.
func NewHash(m mechanism.Mechanism) (hash.Hash, error) { return soft.NewHash(m) }

// PublicKey returns the public key that attributes tell, in the type that the
// standard library has for it.
func PublicKey(t object.Template) (crypto.PublicKey, error) { return soft.PublicKey(t) }

// SignatureSize is the length in bytes that a key's signatures have, as far as
// its directory tells; 0 if it does not.
func (s *Session) SignatureSize(ctx context.Context, m mechanism.Mechanism, key *object.Object) int {
	if n := soft.CodeSize(m); n > 0 {
		return n
	}
	known, err := s.Known(key)
	if err != nil {
		return 0
	}
	if n, ok := object.In(known, object.AttrModulus); ok {
		return (n.BitLen() + 7) / 8
	}
	if n, ok := object.In(known, object.AttrModulusBits); ok {
		return int(n+7) / 8
	}
	if params, ok := object.In(known, object.AttrECParams); ok {
		if c, err := object.CurveOf(params); err == nil {
			return 2 * c.Bytes
		}
	}
	if n := soft.SignatureSize(known); n > 0 {
		return n
	}
	return s.sizeByKey(ctx, m, key)
}

// sizeByKey takes the size from what is told of the key's length.
func (s *Session) sizeByKey(ctx context.Context, m mechanism.Mechanism, key *object.Object) int {
	can, err := s.Mechanisms(ctx, key)
	if err != nil {
		return 0
	}
	info := can[m.Type()]
	if info.MinKeySize != info.MaxKeySize {
		return 0
	}
	n := int(info.MaxKeySize+7) / 8
	if _, ok := m.(mechanism.ECDSA); ok {
		n *= 2
	}
	return n
}

// compute is use for an immediate use of a key of a session: the card is not
// looked at, and the call costs no memory beyond what f returns.
func (u Use) compute(f func(*soft.Material, mechanism.Mechanism, []byte) ([]byte, error), m mechanism.Mechanism, data []byte) ([]byte, error) {
	e := u.entry
	e.using.RLock()
	defer e.using.RUnlock()
	if err := u.good(); err != nil {
		return nil, codes.Wrap(u.Op, err)
	}
	out, err := f(e.key, m, data)
	if err != nil {
		clear(out)
		return nil, codes.Wrap(u.Op, err)
	}
	return out, nil
}
