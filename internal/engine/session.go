package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Session is one session with a Token. It is safe for concurrent use.
type Session struct {
	t      *Token
	rw     bool
	closed bool // guarded by t.mu

	objects list          // its session objects; guarded by t.mu
	ask     token.PINFunc // for the card's write secret, or nil
}

// OpenSession opens a session with the token, read/write if rw. The card is
// reached only if the token's description was never read. Errors:
// ckr.SessionReadWriteSOExists, ckr.TokenWriteProtected,
// ckr.TokenNotInitialized, ckr.DeviceRemoved.
func (t *Token) OpenSession(ctx context.Context, rw bool) (*Session, error) {
	const op = "open session"
	for {
		info, err := t.card.cachedInfo(ctx)
		if err != nil {
			return nil, codes.Wrap(op, err)
		}
		switch {
		case !info.Flags.Has(token.FlagTokenInitialized):
			return nil, ckr.New(ckr.TokenNotInitialized, op, nil)
		case rw && info.Flags.Has(token.FlagWriteProtected):
			return nil, ckr.New(ckr.TokenWriteProtected, op, nil)
		}
		s, err := t.addSession(rw)
		if err != nil {
			return nil, codes.Wrap(op, err)
		}
		if s != nil {
			return s, nil
		}
	}
}

// addSession opens a session; it returns nil if the token is being made anew, so that
// its description is not to be believed.
func (t *Token) addSession(rw bool) (*Session, error) {
	t.card.mu.Lock()
	defer t.card.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
		return nil, ckr.New(ckr.CryptokiNotInitialized, "", nil)
	case t.card.removed:
		return nil, ckr.New(ckr.DeviceRemoved, "", apdu.ErrRemoved)
	case t.card.making:
		return nil, nil
	case !rw && t.login == token.SO:
		return nil, ckr.New(ckr.SessionReadWriteSOExists, "", nil)
	}
	s := &Session{t: t, rw: rw}
	t.sessions[s] = struct{}{}
	return s, nil
}

// endSession closes a session and destroys its session objects. The caller holds
// t.mu.
func (t *Token) endSession(s *Session, d *pending) {
	if s.closed {
		return
	}
	s.closed = true
	delete(t.sessions, s)
	for s.objects.first != nil {
		t.remove(s.objects.first, d)
	}
	if len(t.sessions) > 0 {
		return
	}
	// Handles are the sessions': none of them outlives the last one.
	for _, e := range t.entries {
		t.remove(e, d)
	}
}

// Close ends the session: its session objects are destroyed, and with the
// last session of the application the login ends (PKCS #11 v3.2 §5.6.2). The
// card is reached only if that ends a login. Errors: ckr.SessionHandleInvalid
// if it was closed already.
func (s *Session) Close(ctx context.Context) error {
	t := s.t
	t.mu.Lock()
	if s.closed {
		t.mu.Unlock()
		return ckr.New(ckr.SessionHandleInvalid, "close session", nil)
	}
	var dead pending
	t.endSession(s, &dead)
	role := nobody
	if len(t.sessions) == 0 {
		role = t.logout(&dead)
	}
	t.mu.Unlock()
	dead.clear()
	return t.forgetOnCard(ctx, role)
}

// Token returns the token that the session is with.
func (s *Session) Token() *Token { return s.t }

// State returns the session's state; ok is false if the session is closed.
func (s *Session) State() (state token.State, ok bool) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	return stateOf(s.rw, s.t.login), !s.closed
}

// Current returns the session's state. Errors: ckr.SessionHandleInvalid,
// ckr.DeviceRemoved for the call that finds the card gone.
func (s *Session) Current() (token.State, error) {
	if err := s.enter("session info"); err != nil {
		return 0, err
	}
	state, ok := s.State()
	if !ok {
		return 0, ckr.New(ckr.SessionHandleInvalid, "session info", nil)
	}
	return state, nil
}

// enter checks that the session is open and the card there. The call that
// finds the card gone says so; later ones find the session closed.
func (s *Session) enter(op string) error {
	s.t.mu.Lock()
	ended, closed := s.t.ended, s.closed
	s.t.mu.Unlock()
	switch {
	case ended:
		return ckr.New(ckr.CryptokiNotInitialized, op, nil)
	case closed:
		return ckr.New(ckr.SessionHandleInvalid, op, nil)
	case !s.t.card.backend.Alive():
		s.t.card.Gone()
		return ckr.New(ckr.DeviceRemoved, op, apdu.ErrRemoved)
	}
	return nil
}

// allow looks verb v on kind k up in the access table for the session as it
// is now. The caller holds t.mu.
func (s *Session) allow(k Kind, v driver.Verb) ckr.Code {
	switch {
	case s.closed:
		return ckr.SessionHandleInvalid
	case s.t.card.protected.Load() && k.Token() && v >= driver.Create:
		return ckr.TokenWriteProtected
	}
	return Access(stateOf(s.rw, s.t.login), k, v)
}
