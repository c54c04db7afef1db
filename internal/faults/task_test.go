package faults_test

import (
	"bytes"
	"context"
	"time"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// task is something that programs do with a card. It begins with a session of
// the user, and may be run once on a card.
type task struct {
	name    string
	pins    int           // PINs that the task sends when all goes well
	closing time.Duration // that the task may take beyond its context
	run     func(r *bench, ctx context.Context, s *session.Session) error
}

var tasks = []task{
	{"open and list", 0, time.Second, func(r *bench, ctx context.Context, _ *session.Session) error {
		s, err := session.Open(ctx, r.token)
		if err != nil {
			return err
		}
		defer s.Close()
		for o, err := range s.Find(ctx) {
			if err != nil {
				return err
			}
			if _, err := object.Get(ctx, o, object.AttrLabel); err != nil {
				return err
			}
		}
		return nil
	}},
	{"log in and sign", 1, 0, func(r *bench, ctx context.Context, s *session.Session) error {
		if err := s.Logout(ctx); err != nil {
			return err
		}
		if err := s.Login(ctx, token.User, pin(userPIN)); err != nil {
			return err
		}
		return r.signs(ctx, s)
	}},
	{"decrypt", 0, 0, func(r *bench, ctx context.Context, s *session.Session) error {
		key, err := first(ctx, s, r.decrypter)
		if err != nil {
			return err
		}
		secret := append([]byte{0}, bytes.Repeat([]byte{7}, 255)...)
		_, err = s.Decrypt(ctx, mechanism.RSAPKCS{SessionKeyLen: 16}, key, secret)
		return err
	}},
	{"create an object", 0, 0, func(r *bench, ctx context.Context, s *session.Session) error {
		_, err := s.Create(ctx, r.created...)
		return err
	}},
	{"generate a key pair", 0, 0, func(r *bench, ctx context.Context, s *session.Session) error {
		m, pub, priv := r.generatePair()
		_, _, err := s.GenerateKeyPair(ctx, m, pub, priv)
		return err
	}},
	{"destroy", 0, 0, func(r *bench, ctx context.Context, s *session.Session) error {
		o, err := first(ctx, s, r.destroyed)
		if err != nil {
			return err
		}
		return s.Destroy(ctx, o)
	}},
	{"change the PIN", 1, 0, func(r *bench, ctx context.Context, s *session.Session) error {
		return s.SetPIN(ctx, pin(userPIN), pin(newPIN))
	}},
	{"initialise", 1, time.Second, func(r *bench, ctx context.Context, s *session.Session) error {
		if err := s.Close(); err != nil {
			return err
		}
		err := r.token.Initialize(ctx, pin(soPIN), "again")
		if !r.initialises && ckr.Of(err) == ckr.FunctionNotSupported {
			return nil
		}
		return err
	}},
}

// first finds an object.
func first(ctx context.Context, s *session.Session, match object.Template) (*object.Object, error) {
	for o, err := range s.Find(ctx, match...) {
		return o, err
	}
	return nil, ckr.New(ckr.ObjectHandleInvalid, "find", nil)
}

// signs signs with the card's key.
func (r *bench) signs(ctx context.Context, s *session.Session) error {
	key, err := first(ctx, s, r.signer)
	if err != nil {
		return err
	}
	_, err = s.Sign(ctx, mechanism.ECDSA{}, key, make([]byte, 32))
	return err
}
