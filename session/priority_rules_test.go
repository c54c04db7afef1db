package session_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestPriorities brings about two reasons for a refusal at once, where the
// standard says which one is told.
func TestPriorities(t *testing.T) {
	for _, r := range rows(t, "priority") {
		if isLeft(r) {
			continue
		}
		run, ok := priorities[r.op]
		if !ok {
			t.Errorf("no test runs %v", r)
			continue
		}
		t.Run(r.op, func(t *testing.T) {
			// What is told is named in the row, before what is not.
			err := run(t)
			if !strings.Contains(r.code, ckr.Of(err).Name()) {
				t.Errorf("%v is not among %s", err, r.code)
			}
		})
	}
}

var priorities = map[string]func(t *testing.T) error{
	// A session that is closed on a card that is gone.
	"order_02": func(t *testing.T) error {
		r := newRig(t)
		s := r.open(true)
		noError(t, s.Close())
		noError(t, r.readers.Remove(reader))
		_, err := s.Info()
		isCode(t, err, ckr.SessionHandleInvalid)
		return err
	},
	// A token that was never initialised on a card that is gone.
	"order_03": func(t *testing.T) error {
		r := blankRig(t)
		noError(t, r.readers.Remove(reader))
		_, err := session.Open(t.Context(), r.token)
		isCode(t, err, ckr.DeviceRemoved)
		_, err = r.module.OpenSession(t.Context(), r.slot)
		isCode(t, err, ckr.TokenNotPresent)
		return err
	},
	"order_05": func(t *testing.T) error {
		r := newRig(t)
		r.writeProtect()
		_, err := r.open(false).Create(t.Context(), data(engine.PublicToken, "o")...)
		isCode(t, err, ckr.TokenWriteProtected)
		return err
	},
	// A key that may not sign, with another type's mechanism.
	"order_06": func(t *testing.T) error {
		r := newRig(t)
		s := r.openAs(token.User)
		for _, kind := range []engine.Kind{engine.PrivateSession, engine.PrivateToken} {
			_, priv := pair(t, s, kind, kind.String(), object.AttrSign.Is(false), object.AttrDerive.Is(true))
			_, err := s.Sign(t.Context(), mechanism.ECDSA{}, priv, make([]byte, 32))
			isCode(t, err, ckr.KeyFunctionNotPermitted)
			_, err = s.Sign(t.Context(), mechanism.RSAPKCS{}, priv, make([]byte, 32))
			isCode(t, err, ckr.KeyTypeInconsistent)
		}
		_, priv := pair(t, s, engine.PrivateSession, "k", object.AttrSign.Is(false), object.AttrDerive.Is(true))
		_, err := s.Sign(t.Context(), mechanism.RSAPKCS{}, priv, make([]byte, 32))
		return err
	},
	// Data that are too long, and greater than the modulus.
	"order_07": func(t *testing.T) error {
		s, pub, _ := rsaSession(t)
		_, err := s.Encrypt(t.Context(), mechanism.RSAX509{}, pub, ones(257))
		isCode(t, err, ckr.DataLenRange)
		_, err = s.Encrypt(t.Context(), mechanism.RSAX509{}, pub, ones(256))
		hasCode(t, err, "CKR_DATA_INVALID|CKR_DATA_LEN_RANGE")
		_, err = s.Encrypt(t.Context(), mechanism.RSAX509{}, pub, ones(257))
		return err
	},
	"order_08": func(t *testing.T) error {
		s, _, priv := rsaSession(t)
		for _, m := range []mechanism.Mechanism{mechanism.RSAPKCS{}, mechanism.RSAOAEP{Hash: crypto.SHA256}} {
			_, err := s.Decrypt(t.Context(), m, priv, ones(256))
			isCode(t, err, ckr.EncryptedDataInvalid)
			_, err = s.Decrypt(t.Context(), m, priv, ones(255))
			isCode(t, err, ckr.EncryptedDataLenRange)
		}
		_, err := s.Decrypt(t.Context(), mechanism.RSAPKCS{}, priv, ones(255))
		return err
	},
	"order_09": func(t *testing.T) error {
		s, pub, _ := rsaSession(t)
		digest := make([]byte, 32)
		m := mechanism.RSAPKCS{Hash: crypto.SHA256, Digested: true}
		isCode(t, s.Verify(t.Context(), m, pub, digest, ones(256)), ckr.SignatureInvalid)
		isCode(t, s.Verify(t.Context(), m, pub, digest, ones(255)), ckr.SignatureLenRange)
		ecPub, _ := pair(t, s, engine.PublicSession, "ec")
		isCode(t, s.Verify(t.Context(), mechanism.ECDSA{}, ecPub, digest, ones(64)), ckr.SignatureInvalid)
		err := s.Verify(t.Context(), mechanism.ECDSA{}, ecPub, digest, ones(65))
		isCode(t, err, ckr.SignatureLenRange)
		return err
	},
}

// ones are n bytes FF.
func ones(n int) []byte { return []byte(strings.Repeat("\xFF", n)) }

// theRSAKey is made once for all tests: it takes a while.
var theRSAKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// rsaTemplate are the values of theRSAKey.
func rsaTemplate(t testing.TB) (pub, priv object.Template) {
	t.Helper()
	k := must(theRSAKey())(t)
	pub = object.Template{
		object.AttrKeyType.Is(object.KeyRSA),
		object.AttrModulus.Is(k.N), object.AttrPublicExponent.Is(bigInt(k.E)),
	}
	return pub, pub.With(
		object.AttrPrivateExponent.Is(k.D), object.AttrPrime1.Is(k.Primes[0]), object.AttrPrime2.Is(k.Primes[1]),
		object.AttrExponent1.Is(k.Precomputed.Dp), object.AttrExponent2.Is(k.Precomputed.Dq), object.AttrCoefficient.Is(k.Precomputed.Qinv))
}

// rsaSession is a session that has theRSAKey as session objects.
func rsaSession(t *testing.T) (s *session.Session, pub, priv *object.Object) {
	t.Helper()
	s = newRig(t).open(false)
	public, private := rsaTemplate(t)
	pub = must(s.Create(t.Context(), public.With(object.AttrClass.Is(object.ClassPublicKey))...))(t)
	priv = must(s.Create(t.Context(), private.With(object.AttrClass.Is(object.ClassPrivateKey), object.AttrPrivate.Is(false))...))(t)
	return s, pub, priv
}
