package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// AskWith says who is asked for what the card demands of a session beyond its
// login: the card's own write secret (ReasonWrite). Without it the card is
// left to say no. It is called before the Session is used.
func (s *Session) AskWith(ask token.PINFunc) { s.ask = ask }

// writeAuth asks for the write secret, if the card needs one for v and the
// session is not the security officer's, for whom the login stands for it. No
// lock is held and no transaction is open. The caller clears what it gets.
func (s *Session) writeAuth(ctx context.Context, op string, v driver.Verb, ref driver.Ref) (driver.Auth, error) {
	if s.isSO() {
		return driver.Auth{SO: true}, nil
	}
	if s.ask == nil || !s.t.card.backend.Needs(v, ref).Write {
		return driver.Auth{}, nil
	}
	info, err := s.t.card.cachedInfo(ctx)
	if err != nil {
		return driver.Auth{}, codes.Wrap(op, err)
	}
	select {
	case s.t.asking <- struct{}{}:
	case <-ctx.Done():
		return driver.Auth{}, codes.Wrap(op, ctx.Err())
	}
	defer func() { <-s.t.asking }()
	p, err := s.ask(ctx, s.t.card.Request(token.ReasonWrite, token.SO, info))
	if err != nil {
		return driver.Auth{}, askError(op, err)
	}
	if err := checkSO(&info, op, p); err != nil {
		p.Clear()
		return driver.Auth{}, err
	}
	return driver.Auth{Write: p}, nil
}

// PINRequest returns what a person is told who is asked for a PIN of the token.
// The card is reached only if its description was never read.
func (s *Session) PINRequest(ctx context.Context, reason token.PINReason, r token.Role) (token.PINRequest, error) {
	info, err := s.t.card.cachedInfo(ctx)
	if err != nil {
		return token.PINRequest{}, codes.Wrap("ask for the PIN", err)
	}
	return s.t.card.Request(reason, r, info), nil
}

// askError is the error of a PINFunc with its own code, if it has one.
func askError(op string, err error) error {
	if code := codes.Of(err); code != ckr.GeneralError {
		return codes.Wrap(op, err)
	}
	return ckr.New(ckr.FunctionCanceled, op, err)
}
