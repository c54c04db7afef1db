package engine

import (
	"context"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Login logs the application in (C_Login, PKCS #11 v3.2 §5.6.8): all its
// sessions with the token change state. The card is reached, with one VERIFY,
// unless the request is refused before. The caller clears p.
//
// Errors: ckr.UserTypeInvalid, ckr.UserAlreadyLoggedIn,
// ckr.UserAnotherAlreadyLoggedIn, ckr.SessionReadOnlyExists,
// ckr.UserPINNotInitialized, ckr.PINLenRange (no try is spent),
// ckr.PINIncorrect and ckr.PINLocked, with the tries left where the card tells
// them. ContextSpecific belongs to an operation: ckr.OperationNotInitialized.
func (s *Session) Login(ctx context.Context, r token.Role, p token.PIN) error {
	const op = "login"
	if err := s.enter(op); err != nil {
		return err
	}
	switch r {
	case token.SO, token.User:
	case token.ContextSpecific:
		return ckr.Newf(ckr.OperationNotInitialized, op, "no operation waits for it")
	default:
		return ckr.New(ckr.UserTypeInvalid, op, nil)
	}
	t, c := s.t, s.t.card
	if err := s.mayLogin(r); err != nil {
		return codes.Wrap(op, err)
	}
	info, err := c.cachedInfo(ctx)
	if err != nil {
		return codes.Wrap(op, err)
	}
	if r == token.User && !info.Flags.Has(token.FlagUserPINInitialized) {
		// It may have been set by somebody else since it was read.
		if info, err = c.Info(ctx); err != nil {
			return codes.Wrap(op, err)
		}
		if !info.Flags.Has(token.FlagUserPINInitialized) {
			return ckr.New(ckr.UserPINNotInitialized, op, nil)
		}
	}
	if err := checkLogin(&info, op, r, p); err != nil {
		return err
	}
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		if err := s.mayLogin(r); err != nil {
			return err
		}
		if err := c.spare(ctx, r, p, false); err != nil {
			return err
		}
		if err := c.backend.Login(ctx, r, p); err != nil {
			c.mu.Lock()
			if c.verified[r] == verified {
				c.verified[r] = doubtful // many cards drop the state then
			}
			c.judgePIN(r, p, err)
			c.mu.Unlock()
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keep(r, p)
		c.settled[r] = true
		t.mu.Lock()
		defer t.mu.Unlock()
		if err := s.mayLoginLocked(r); err != nil {
			c.owed[r] = true
			return err
		}
		t.login = r
		t.epoch++
		return nil
	})
}

func (s *Session) mayLogin(r token.Role) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	return s.mayLoginLocked(r)
}

// mayLoginLocked checks what forbids a login before any PIN is looked at. The
// caller holds t.mu.
func (s *Session) mayLoginLocked(r token.Role) error {
	switch {
	case s.closed:
		return ckr.New(ckr.SessionHandleInvalid, "", nil)
	case s.t.login == r:
		return ckr.New(ckr.UserAlreadyLoggedIn, "", nil)
	case s.t.login != nobody:
		return ckr.New(ckr.UserAnotherAlreadyLoggedIn, "", nil)
	}
	if r != token.SO {
		return nil
	}
	for other := range s.t.sessions {
		if !other.rw {
			return ckr.New(ckr.SessionReadOnlyExists, "", nil)
		}
	}
	return nil
}

// Logout ends the login (C_Logout, PKCS #11 v3.2 §5.6.9): private session
// objects are destroyed, handles to private objects are void for good, and
// operations with private keys are cut. The login has ended even if the card
// could not be told at once, which the error then says; it is told before its
// next use. Errors: ckr.UserNotLoggedIn.
func (s *Session) Logout(ctx context.Context) error {
	const op = "logout"
	if err := s.enter(op); err != nil {
		return err
	}
	t := s.t
	t.mu.Lock()
	if t.login == nobody {
		t.mu.Unlock()
		return ckr.New(ckr.UserNotLoggedIn, op, nil)
	}
	var dead pending
	role := t.logout(&dead)
	t.mu.Unlock()
	dead.clear()
	return t.forgetOnCard(ctx, role)
}

// InitPIN sets the user's PIN (C_InitPIN) and unblocks it. Errors:
// ckr.UserNotLoggedIn unless the SO is logged in, ckr.PINLenRange,
// ckr.PINInvalid. The caller clears p.
func (s *Session) InitPIN(ctx context.Context, p token.PIN) error {
	const op = "initialise PIN"
	if err := s.enter(op); err != nil {
		return err
	}
	c := s.t.card
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		if state, _ := s.State(); state != token.RWSO {
			return ckr.Newf(ckr.UserNotLoggedIn, "", "the security officer is not logged in")
		}
		info, err := c.readInfo(ctx)
		if err != nil {
			return err
		}
		if err := checkNew("", p, info.MinPIN, info.MaxPIN, info.Flags.Has(token.FlagProtectedAuthPath)); err != nil {
			return err
		}
		m, err := c.pinManager()
		if err != nil {
			return err
		}
		if err := c.restoreLogin(ctx, token.SO); err != nil {
			return err
		}
		return c.changed(token.User, p, m.InitPIN(ctx, p))
	})
}

// SetPIN changes a PIN (C_SetPIN): the SO's in an SO session, otherwise the
// user's. Errors: ckr.SessionReadOnly, ckr.PINIncorrect, ckr.PINLocked,
// ckr.PINLenRange, ckr.PINInvalid, ckr.UserPINNotInitialized. The caller clears
// both PINs.
func (s *Session) SetPIN(ctx context.Context, old, new token.PIN) error {
	const op = "set PIN"
	if err := s.enter(op); err != nil {
		return err
	}
	if !s.rw {
		return ckr.New(ckr.SessionReadOnly, op, nil)
	}
	c := s.t.card
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		role := token.User
		if state, _ := s.State(); state == token.RWSO {
			role = token.SO
		}
		info, err := c.readInfo(ctx)
		if err != nil {
			return err
		}
		if role == token.User && !info.Flags.Has(token.FlagUserPINInitialized) {
			return ckr.New(ckr.UserPINNotInitialized, "", nil)
		}
		if err := checkChange(&info, role, old, new); err != nil {
			return err
		}
		m, err := c.pinManager()
		if err != nil {
			return err
		}
		err = m.ChangePIN(ctx, role, old, new)
		if err == nil || ckr.Of(err) == ckr.PINIncorrect {
			c.mu.Lock()
			c.refuse(role, old)
			c.mu.Unlock()
		}
		return c.changed(role, new, err)
	})
}

// UnblockPIN sets the user's PIN with the card's unblocking PIN (PUK), which
// PKCS #11 does not know. The session is read/write. Errors:
// ckr.SessionReadOnly, ckr.PINIncorrect and ckr.PINLocked for the PUK,
// ckr.PINLenRange, ckr.PINInvalid. The caller clears both.
func (s *Session) UnblockPIN(ctx context.Context, puk, new token.PIN) error {
	const op = "unblock PIN"
	if err := s.enter(op); err != nil {
		return err
	}
	if !s.rw {
		return ckr.New(ckr.SessionReadOnly, op, nil)
	}
	c := s.t.card
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		info, err := c.readInfo(ctx)
		if err != nil {
			return err
		}
		if err := checkNew("new PIN", new, info.MinPIN, info.MaxPIN, false); err != nil {
			return err
		}
		if err := checkEntered("PUK", puk, info.MinPUK, info.MaxPUK, false); err != nil {
			return err
		}
		m, err := c.pinManager()
		if err != nil {
			return err
		}
		return c.changed(token.User, new, m.UnblockPIN(ctx, puk, new))
	})
}

// changed keeps up with a PIN that was changed, or was not.
func (c *Card) changed(r token.Role, new token.PIN, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := !c.pins[r].IsZero()
	c.settled[r] = false
	if err == nil {
		c.forgive(r, new)
	}
	if err == nil && held {
		c.keep(r, new)
	}
	if c.verified[r] == verified {
		c.verified[r] = doubtful
	}
	return err
}

func (c *Card) pinManager() (driver.PINManager, error) {
	m, ok := c.backend.(driver.PINManager)
	if !ok {
		return nil, ckr.Newf(ckr.FunctionNotSupported, "", "PINs of this card are set by its issuer")
	}
	return m, nil
}
