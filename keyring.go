package cryptoki

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/uri"
)

// keyring is the application that a Module's Keys work in, so that what they
// do to logins and sessions is theirs alone.
type keyring struct {
	list  *slot.List
	ask   token.PINFunc
	cache PINCache
	allow sources

	mu      sync.Mutex
	closed  bool
	members map[identity]*member
}

// identity is how a token is recognised when it comes back.
type identity struct{ manufacturer, model, serial, label string }

func identityOf(i token.Info) identity { return identity{i.Manufacturer, i.Model, i.Serial, i.Label} }

func (i identity) String() string {
	u := uri.URI{Token: &i.label, Serial: &i.serial, Model: &i.model, Manufacturer: &i.manufacturer}
	return u.String()
}

// member is one token of the keyring: its session, which all Keys share, and
// its PIN.
type member struct {
	ring *keyring
	id   identity
	pins holder

	gate chan struct{} // held by the one that logs in, also while a PIN is asked for

	opening chan struct{} // held by the one that opens; guards s
	s       *session.Session
}

// member returns the one for a token.
func (r *keyring) member(id identity) (*member, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ckr.New(ckr.CryptokiNotInitialized, "", nil)
	}
	m := r.members[id]
	if m == nil {
		m = &member{ring: r, id: id, gate: make(chan struct{}, 1), opening: make(chan struct{}, 1), pins: holder{cache: r.cache}}
		r.members[id] = m
	}
	return m, nil
}

// close ends the application; the PINs are cleared.
func (r *keyring) close() error {
	r.mu.Lock()
	r.closed = true
	for _, m := range r.members {
		m.pins.clear()
		m.pins.refused.Clear()
	}
	r.mu.Unlock()
	return r.list.Close()
}

// enter waits for the member's gate.
func (m *member) enter(ctx context.Context) error { return pass(ctx, m.gate) }

func (m *member) leave() { <-m.gate }

func pass(ctx context.Context, gate chan struct{}) error {
	select {
	case gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ckr.New(ckr.FunctionCanceled, "", ctx.Err())
	}
}

// open returns the member's session, a new one if the old one has ended. No
// PIN is asked for, so that who is asked for one may look at what is public.
// Errors: ckr.TokenNotPresent if the token is away.
func (m *member) open(ctx context.Context) (*session.Session, error) {
	if err := pass(ctx, m.opening); err != nil {
		return nil, err
	}
	defer func() { <-m.opening }()
	if m.s != nil {
		if _, err := m.s.Info(); err == nil {
			return m.s, nil
		}
		m.s = nil
	}
	slots, err := m.ring.list.Slots(ctx, true)
	if err != nil {
		return nil, err
	}
	for _, s := range slots {
		t, err := s.Token(ctx)
		if err != nil {
			continue
		}
		info, err := t.Info(ctx)
		if err != nil || identityOf(info) != m.id {
			continue
		}
		m.s, err = session.Open(ctx, t)
		return m.s, err
	}
	return nil, ckr.Newf(ckr.TokenNotPresent, "", "%v is not there", m.id)
}

// login logs the user in, unless he is. The PIN comes from the memory or from
// ask, which is called once. The caller holds the gate.
func (m *member) login(ctx context.Context, s *session.Session, ask token.PINFunc) error {
	if loggedIn(s) {
		return nil
	}
	about, err := s.Token().Info(ctx)
	if err != nil {
		return err
	}
	pin, remembered := m.pins.take()
	if !remembered {
		if pin, err = m.prompt(ctx, ask, token.PINRequest{Reason: token.ReasonLogin, Role: token.User, Token: about, Tries: about.UserTries}); err != nil {
			return err
		}
	}
	defer pin.Clear()
	return m.judge(pin, about.UserTries, s.Login(ctx, token.User, pin))
}

// prompt asks for a PIN and refuses the one that the card refused before.
func (m *member) prompt(ctx context.Context, ask token.PINFunc, r token.PINRequest) (token.PIN, error) {
	if ask == nil {
		return token.PIN{}, ckr.Newf(ckr.UserNotLoggedIn, "", "%q needs a PIN, and there is nobody to ask; see WithPIN", r.Token.Label)
	}
	pin, err := ask(ctx, r)
	if err != nil {
		return token.PIN{}, ckr.New(pinCode(err), "ask for the PIN", err)
	}
	if pin.IsZero() {
		return token.PIN{}, ckr.Newf(ckr.FunctionCanceled, "ask for the PIN", "no PIN given")
	}
	if m.pins.wasRejected(pin) {
		pin.Clear()
		return token.PIN{}, &ckr.Error{
			Code: ckr.PINIncorrect, Op: "login", Tries: r.Tries,
			Err: errors.New("the card has refused this PIN; it is not sent again"),
		}
	}
	return pin, nil
}

// pinCode is the code for an error of a PINFunc: its own if it has one, else
// the person's refusal.
func pinCode(err error) ckr.Code {
	if code := ckr.Of(err); code != ckr.GeneralError {
		return code
	}
	return ckr.FunctionCanceled
}

// judge notes what the card said of a PIN that had so many tries before. That a
// PIN is locked says nothing of the one that was given: it may be right, and
// will be wanted when the lock is lifted; unless the lock is its doing.
func (m *member) judge(pin token.PIN, before ckr.Tries, err error) error {
	switch ckr.Of(err) {
	case ckr.OK, ckr.UserAlreadyLoggedIn:
		m.pins.accepted(pin)
		return nil
	case ckr.PINLocked:
		if before.Known && before.Left > 0 {
			m.pins.rejected(pin)
		} else {
			m.pins.clear()
		}
	case ckr.PINIncorrect, ckr.PINLenRange, ckr.PINInvalid, ckr.PINExpired:
		m.pins.rejected(pin)
	}
	return err
}

// reopen returns how a Key finds its object: on the token with the same
// identity, under the same unique id, after a login if it is private.
func (m *member) reopen(uid string, ask token.PINFunc) func(ctx context.Context) (*session.Session, *object.Object, error) {
	return func(ctx context.Context) (*session.Session, *object.Object, error) {
		const op = "key"
		if m.ring.isClosed() {
			return nil, nil, ckr.Newf(ckr.CryptokiNotInitialized, op, "the module is closed")
		}
		if err := m.enter(ctx); err != nil {
			return nil, nil, err
		}
		defer m.leave()
		// A reset that nobody has noticed yet comes to light with the search,
		// which then sees nothing private: once more, after another login.
		for range maxSearches {
			s, o, err := m.find(ctx, uid, ask)
			switch {
			case errors.Is(err, errDisturbed):
			case o != nil || err != nil:
				return s, o, token.Wrap(op, err)
			default:
				return nil, nil, ckr.Newf(ckr.KeyHandleInvalid, op, "the key is not on %v any more", m.id)
			}
		}
		return nil, nil, token.Wrap(op, resetAgain(nil))
	}
}

func loggedIn(s *session.Session) bool {
	info, err := s.Info()
	return err == nil && (info.State == token.ROUser || info.State == token.RWUser)
}

// errDisturbed is a search in whose middle the card was reset.
var errDisturbed = errors.New("the search was disturbed")

// find logs in and returns the object with a unique id, or nil; errDisturbed if
// the login ended meanwhile. The caller holds the gate.
func (m *member) find(ctx context.Context, uid string, ask token.PINFunc) (*session.Session, *object.Object, error) {
	s, err := m.open(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := m.login(ctx, s, ask); err != nil {
		return nil, nil, err
	}
	for o, err := range s.Find(ctx, object.AttrUniqueID.Is(uid)) {
		if err != nil && ctx.Err() == nil && (!loggedIn(s) || errors.Is(err, apdu.ErrReset)) {
			return nil, nil, errDisturbed
		}
		if err != nil {
			return nil, nil, err
		}
		if consent, _ := object.Get(ctx, o, object.AttrAlwaysAuthenticate); !consent {
			m.pins.operationOver()
		}
		return s, o, nil
	}
	if !loggedIn(s) {
		return nil, nil, errDisturbed
	}
	return s, nil, nil
}

func (r *keyring) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// consent returns how a Key gets the user's consent to one use.
func (m *member) consent(ask token.PINFunc) func(ctx context.Context, label string, login func(token.PIN) error) error {
	return func(ctx context.Context, label string, login func(token.PIN) error) error {
		pin, remembered := m.pins.take()
		if !remembered {
			about := token.Info{Label: m.id.label, Serial: m.id.serial, Model: m.id.model, Manufacturer: m.id.manufacturer}
			r := token.PINRequest{Reason: token.ReasonConsent, Role: token.ContextSpecific, Token: about, Key: label}
			var err error
			if pin, err = m.prompt(ctx, ask, r); err != nil {
				return err
			}
		}
		defer pin.Clear()
		err := m.judge(pin, ckr.Tries{}, login(pin))
		m.pins.operationOver()
		return err
	}
}

// describe names a member for lists of what was looked at.
func (m *member) describe() string { return m.id.describe() }

func (i identity) describe() string { return fmt.Sprintf("%q (serial number %s)", i.label, i.serial) }
