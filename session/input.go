package session

import (
	"context"
	"hash"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// maxBuffered bounds the data of a multi-part operation whose mechanism needs
// all of it at once.
const maxBuffered = 1 << 24

// input collects the data of a signature or a verification: it goes into the
// hash where the mechanism hashes first, and into the code where that is what
// a key of a session makes; else it is kept.
type input struct {
	m    mechanism.Mechanism // as it takes the collected input
	hash hash.Hash           // nil: data is kept
	code bool                // hash is the authentication code itself
	data []byte
}

func (s *Session) newInput(ctx context.Context, op string, g engine.Grant, m mechanism.Mechanism) (input, error) {
	h, prepared := mechanism.Prehash(m)
	switch {
	case h != 0:
		return input{m: prepared, hash: h.New()}, nil
	case !g.InSession() || !soft.Streams(m):
		return input{m: m}, nil
	}
	in := input{m: m, code: true}
	err := s.softly(ctx, op, g, func(k *soft.Material) (err error) {
		in.hash, err = soft.NewMAC(k, m)
		return err
	})
	return in, err
}

// code returns the authentication code that was collected, if the grant still
// holds.
func (s *Session) code(ctx context.Context, op string, g engine.Grant, in input) (code []byte, err error) {
	err = s.softly(ctx, op, g, func(*soft.Material) error {
		code = soft.Code(in.m, in.hash)
		return nil
	})
	return code, err
}

// verifyCode compares a code with the one that was collected.
func (s *Session) verifyCode(ctx context.Context, op string, g engine.Grant, in input, code []byte) error {
	return s.softly(ctx, op, g, func(*soft.Material) error { return soft.VerifyCode(in.m, in.hash, code) })
}

// softly runs f with a key of a session.
func (s *Session) softly(ctx context.Context, op string, g engine.Grant, f func(*soft.Material) error) error {
	return s.seat.Use(ctx, op, g, driver.Auth{},
		func(context.Context, driver.Backend, driver.Ref) error { return ckr.New(ckr.GeneralError, "", nil) }, f)
}

func (in *input) write(op string, p []byte) error {
	if in.hash != nil {
		in.hash.Write(p)
		return nil
	}
	if len(p) > maxBuffered-len(in.data) {
		return ckr.Newf(ckr.DataLenRange, op, "more than %d bytes", maxBuffered)
	}
	in.data = append(in.data, p...)
	return nil
}

func (in *input) sum() []byte {
	if in.hash != nil {
		return in.hash.Sum(nil)
	}
	return in.data
}

func (in *input) clear() {
	clear(in.data)
	in.data, in.hash = nil, nil
}
