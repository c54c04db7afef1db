package token

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// AskWith says who is asked for what the card demands of a session beyond its
// login: the card's own write secret (ReasonWrite). Without it the card is
// left to say no. It is called before the Seat is used.
func (s *Seat) AskWith(ask PINFunc) { s.ask = ask }

// writeAuth asks for the write secret, if the card needs one for v and the
// session is not the security officer's, for whom the login stands for it. No
// lock is held and no transaction is open. The caller clears what it gets.
func (s *Seat) writeAuth(ctx context.Context, op string, v Verb, ref Ref) (Auth, error) {
	if s.isSO() {
		return Auth{SO: true}, nil
	}
	if s.ask == nil || !s.t.card.backend.Needs(v, ref).Write {
		return Auth{}, nil
	}
	info, err := s.t.card.cachedInfo(ctx)
	if err != nil {
		return Auth{}, Wrap(op, err)
	}
	select {
	case s.t.asking <- struct{}{}:
	case <-ctx.Done():
		return Auth{}, Wrap(op, ctx.Err())
	}
	defer func() { <-s.t.asking }()
	p, err := s.ask(ctx, s.t.card.Request(ReasonWrite, SO, info))
	if err != nil {
		return Auth{}, askError(op, err)
	}
	if err := info.checkSO(op, p); err != nil {
		p.Clear()
		return Auth{}, err
	}
	return Auth{Write: p}, nil
}

// PINRequest returns what a person is told who is asked for a PIN of the token.
// The card is reached only if its description was never read.
func (s *Seat) PINRequest(ctx context.Context, reason PINReason, r Role) (PINRequest, error) {
	info, err := s.t.card.cachedInfo(ctx)
	if err != nil {
		return PINRequest{}, Wrap("ask for the PIN", err)
	}
	return s.t.card.Request(reason, r, info), nil
}

// askError is the error of a PINFunc with its own code, if it has one.
func askError(op string, err error) error {
	if code := CodeOf(err); code != ckr.GeneralError {
		return Wrap(op, err)
	}
	return ckr.New(ckr.FunctionCanceled, op, err)
}
