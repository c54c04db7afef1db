package session_test

import (
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestEvents runs the table of events: what happens to a session in each
// state.
func TestEvents(t *testing.T) {
	for _, r := range rows(t, "event") {
		if isLeft(r) {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			if state, ok := states[r.state]; ok {
				sessionEvent(t, r, state)
				return
			}
			run, ok := applicationEvents[r.state]
			if !ok {
				t.Fatalf("no test runs %v", r)
			}
			run(t, r)
		})
	}
}

// sessionEvent runs an event of a session that is in a state, and looks at the
// state after it.
func sessionEvent(t *testing.T, r row, state token.State) {
	run, ok := sessionEvents[r.op+": "+r.condition]
	if !ok {
		t.Fatalf("no test runs %v", r)
	}
	st := newStage(t, state)
	if prepare := prepared[r.op+": "+r.condition]; prepare != nil {
		prepare(st)
	}
	st.settle()
	err := run(st)
	hasCode(t, err, strings.Replace(r.code, "-", "CKR_OK", 1))
	if r.newState == "CLOSED" {
		if _, err := st.s.Info(); err == nil {
			t.Error("the session is still open")
		}
		return
	}
	if want, ok := states[r.newState]; ok {
		inState(t, st.s, want)
	}
}

// prepared is what an event needs while the user is logged in.
var prepared = map[string]func(st *stage){
	// SO login and removal of the last session are about these sessions alone.
	"login_so: right PIN, no R/O session of this application":           (*stage).onlySession,
	"close_session: last session of the application with the token":     (*stage).onlySession,
	"login_context_specific: " + consentNone:                            (*stage).consentless,
	"login_context_specific: " + consentRight:                           (*stage).consentKey,
	"login_context_specific: same; wrong PIN":                           (*stage).consentKey,
	"login_context_specific: same; PIN now locked":                      (*stage).consentKey,
	"use_always_authenticate_key: no context-specific login after Init": (*stage).consentKey,
}

const (
	consentNone  = "no operation waiting for it (or its key has CKA_ALWAYS_AUTHENTICATE false)"
	consentRight = "operation begun with an always-authenticate key; right PIN"
)

// onlySession leaves no other session of the application.
func (st *stage) onlySession() { noError(st.t, st.helper.Close()) }

func (st *stage) consentKey() {
	pair(st.t, st.helper, engine.PrivateToken, "consent", object.AttrAlwaysAuthenticate.Is(true))
}

func (st *stage) consentless() { pair(st.t, st.helper, engine.PrivateToken, "no consent") }

// signer begins a signature with the private key of the card.
func (st *stage) signer() *session.SignOp {
	st.t.Helper()
	keys := find(st.t, st.s, object.AttrClass.Is(object.ClassPrivateKey))
	if len(keys) != 1 {
		st.t.Fatalf("there are %d private keys", len(keys))
	}
	return must(st.s.NewSign(st.ctx, mechanism.ECDSA{}, keys[0]))(st.t)
}

func (st *stage) sum(op *session.SignOp) error {
	must(op.Write(make([]byte, 32)))(st.t)
	_, err := op.Sum(st.ctx)
	return err
}

// sessionEvents are the events by name and condition. Each returns the error
// of the event itself.
var sessionEvents = map[string]func(st *stage) error{
	"any_call: C_Initialize not called": func(st *stage) error {
		noError(st.t, st.module.Close())
		_, err := st.s.Info()
		return err
	},
	"finalize: C_Finalize": func(st *stage) error {
		err := st.module.Close()
		isCode(st.t, st.module.Close(), ckr.CryptokiNotInitialized)
		return err
	},
	"close_all_sessions: -": func(st *stage) error {
		err := st.token.CloseSessions(st.ctx)
		noError(st.t, st.token.CloseSessions(st.ctx)) // none is open: no error
		st.startsPublic()
		return err
	},
	"close_session: last session of the application with the token": func(st *stage) error {
		err := st.s.Close()
		st.startsPublic()
		return err
	},
	"close_session: other sessions of the application stay open": func(st *stage) error {
		before := must(st.helper.Info())(st.t).State
		err := st.s.Close()
		inState(st.t, st.helper, before)
		return err
	},
	"init_pin: -":              func(st *stage) error { return st.s.InitPIN(st.ctx, pin("111111")) },
	"init_pin: PIN acceptable": initPIN,
	"init_pin: bad characters": func(st *stage) error { return st.s.InitPIN(st.ctx, pin("12\x0056")) },
	"init_pin: bad length": func(st *stage) error {
		hasCode(st.t, st.s.InitPIN(st.ctx, pin("123456789")), "CKR_PIN_LEN_RANGE")
		return st.s.InitPIN(st.ctx, pin("123"))
	},
	"init_token: any session of any application open": func(st *stage) error {
		other := st.application()
		hasCode(st.t, other.token.Initialize(st.ctx, pin(soPIN), "new"), "CKR_SESSION_EXISTS")
		return st.token.Initialize(st.ctx, pin(soPIN), "new")
	},
	"logout: -": func(st *stage) error { return st.s.Logout(st.ctx) },
	"login_other_type: userType not 0, 1 or 2": func(st *stage) error {
		return st.s.Login(st.ctx, token.Role(3), pin(userPIN))
	},

	"login_so: any PIN":   func(st *stage) error { return st.s.Login(st.ctx, token.SO, pin(wrongPIN)) },
	"login_user: any PIN": func(st *stage) error { return st.s.Login(st.ctx, token.User, pin(wrongPIN)) },
	"login_so: the session itself is R/O": func(st *stage) error {
		return st.s.Login(st.ctx, token.SO, pin(soPIN))
	},
	"login_so: an R/O session of this application is open": func(st *stage) error {
		st.open(false)
		return st.s.Login(st.ctx, token.SO, pin(soPIN))
	},
	"login_so: right PIN, no R/O session of this application": func(st *stage) error {
		other := st.open(true)
		err := st.s.Login(st.ctx, token.SO, pin(soPIN))
		inState(st.t, other, token.RWSO)
		return err
	},
	"login_so: wrong PIN":     func(st *stage) error { return st.wrong(token.SO) },
	"login_so: SO PIN locked": func(st *stage) error { return st.locked(token.SO) },
	"login_so: PIN shorter or longer than the token allows": func(st *stage) error {
		return st.misfit(token.SO)
	},
	"login_user: right PIN": func(st *stage) error {
		other := st.open(true)
		err := st.s.Login(st.ctx, token.User, pin(userPIN))
		inState(st.t, other, token.RWUser)
		return err
	},
	"login_user: wrong PIN":  func(st *stage) error { return st.wrong(token.User) },
	"login_user: PIN locked": func(st *stage) error { return st.locked(token.User) },
	"login_user: PIN shorter or longer than the token allows": func(st *stage) error {
		return st.misfit(token.User)
	},
	"login_user: user PIN never set (after InitToken, before InitPIN)": func(st *stage) error {
		st.anew()
		return st.s.Login(st.ctx, token.User, pin(userPIN))
	},

	"set_pin: -": func(st *stage) error { return st.s.SetPIN(st.ctx, st.own(), pin("111111")) },
	"set_pin: old PIN right, new PIN acceptable": setPIN,
	"set_pin: old PIN wrong":                     func(st *stage) error { return st.s.SetPIN(st.ctx, pin(wrongPIN), pin("111111")) },
	"set_pin: new PIN bad characters":            func(st *stage) error { return st.s.SetPIN(st.ctx, st.own(), pin("1111\xFF")) },
	"set_pin: new PIN bad length": func(st *stage) error {
		hasCode(st.t, st.s.SetPIN(st.ctx, st.own(), pin("123456789")), "CKR_PIN_LEN_RANGE")
		return st.s.SetPIN(st.ctx, st.own(), pin("1"))
	},
	"set_pin: PIN locked": func(st *stage) error {
		st.lock(st.ownRole())
		return st.s.SetPIN(st.ctx, st.own(), pin("111111"))
	},
	"set_pin: user PIN never set": func(st *stage) error {
		st.anew()
		return st.s.SetPIN(st.ctx, pin(userPIN), pin("111111"))
	},

	"login_context_specific: " + consentNone:  consentRefused,
	"login_context_specific: " + consentRight: consentGiven,
	"login_context_specific: same; wrong PIN": func(st *stage) error {
		op := st.signer()
		err := op.Login(st.ctx, pin(wrongPIN))
		hasCode(st.t, st.sum(op), "CKR_USER_NOT_LOGGED_IN")
		again := st.signer()
		hasCode(st.t, again.Login(st.ctx, pin(wrongPIN)), "CKR_PIN_INCORRECT")
		noError(st.t, again.Login(st.ctx, pin(userPIN)))
		noError(st.t, st.sum(again))
		return err
	},
	"login_context_specific: same; PIN now locked": func(st *stage) error {
		op := st.signer()
		for range 2 {
			hasCode(st.t, op.Login(st.ctx, pin(wrongPIN)), "CKR_PIN_INCORRECT")
		}
		return op.Login(st.ctx, pin(wrongPIN))
	},
	"use_always_authenticate_key: no context-specific login after Init": func(st *stage) error {
		op := st.signer()
		noError(st.t, op.Login(st.ctx, pin(userPIN)))
		noError(st.t, st.sum(op))
		keys := find(st.t, st.s, object.AttrClass.Is(object.ClassPrivateKey))
		_, err := st.s.Sign(st.ctx, mechanism.ECDSA{}, keys[0], make([]byte, 32))
		hasCode(st.t, err, "CKR_USER_NOT_LOGGED_IN")
		return st.sum(st.signer())
	},

	"token_removed: -": func(st *stage) error {
		other := st.application().open(true)
		noError(st.t, st.readers.Remove(reader))
		_, err := st.s.Info()
		hasCode(st.t, err, "CKR_DEVICE_REMOVED")
		for _, s := range []*session.Session{st.s, st.helper, other} {
			_, err = s.Info()
			hasCode(st.t, err, "CKR_SESSION_HANDLE_INVALID")
		}
		return nil
	},
}

// startsPublic checks that the application is logged out.
func (st *stage) startsPublic() {
	st.t.Helper()
	s := st.open(true)
	inState(st.t, s, token.RWPublic)
	noError(st.t, s.Close())
}

// ownRole is whose PIN SetPIN changes in the session's state.
func (st *stage) ownRole() token.Role {
	if st.state == token.RWSO {
		return token.SO
	}
	return token.User
}

func (st *stage) own() token.PIN { return pin(pinOf(st.ownRole())) }

// wrong enters a wrong PIN once; it costs one try, which the error tells.
func (st *stage) wrong(role token.Role) error {
	err := st.s.Login(st.ctx, role, pin(wrongPIN))
	if left := tries(st.t, err); left != 2 {
		st.t.Errorf("%d tries are left, want 2", left)
	}
	return err
}

func (st *stage) locked(role token.Role) error {
	st.lock(role)
	return st.s.Login(st.ctx, role, pin(pinOf(role)))
}

// misfit enters PINs of lengths that no PIN has; the card does not see them.
func (st *stage) misfit(role token.Role) error {
	before := st.card.Exchanges()
	hasCode(st.t, st.s.Login(st.ctx, role, pin("123")), "CKR_PIN_LEN_RANGE")
	err := st.s.Login(st.ctx, role, pin("123456789"))
	if n := st.card.Exchanges() - before; n > 0 {
		st.t.Errorf("the card saw %d commands", n)
	}
	noError(st.t, st.s.Login(st.ctx, role, pin(pinOf(role))))
	noError(st.t, st.s.Logout(st.ctx))
	return err
}

// anew makes the token anew, without a user PIN, and the session with it.
func (st *stage) anew() {
	st.t.Helper()
	noError(st.t, st.token.CloseSessions(st.ctx))
	noError(st.t, st.token.Initialize(st.ctx, pin(soPIN), "anew"))
	st.s = st.open(st.state != token.ROPublic)
}

func initPIN(st *stage) error {
	err := st.s.InitPIN(st.ctx, pin("111111"))
	other := st.application()
	s := other.open(false)
	hasCode(st.t, s.Login(st.ctx, token.User, pin(userPIN)), "CKR_PIN_INCORRECT")
	noError(st.t, s.Login(st.ctx, token.User, pin("111111")))
	noError(st.t, other.module.Close())

	// It unlocks a PIN, too.
	st.lock(token.User)
	noError(st.t, st.s.InitPIN(st.ctx, pin("222222")))
	s = st.application().open(false)
	noError(st.t, s.Login(st.ctx, token.User, pin("222222")))
	noError(st.t, s.Close())
	return err
}

func setPIN(st *stage) error {
	role := st.ownRole()
	err := st.s.SetPIN(st.ctx, st.own(), pin("111111"))
	s := st.application().open(true)
	hasCode(st.t, s.Login(st.ctx, role, st.own()), "CKR_PIN_INCORRECT")
	noError(st.t, s.Login(st.ctx, role, pin("111111")))
	noError(st.t, s.Close())
	return err
}

// consentRefused tries a login for one operation where none waits for it.
func consentRefused(st *stage) error {
	if st.state == token.ROUser || st.state == token.RWUser {
		op := st.signer()
		hasCode(st.t, op.Login(st.ctx, pin(userPIN)), "CKR_OPERATION_NOT_INITIALIZED")
		noError(st.t, st.sum(op)) // it is untouched
		hasCode(st.t, op.Login(st.ctx, pin(userPIN)), "CKR_OPERATION_NOT_INITIALIZED")
	}
	return st.s.Login(st.ctx, token.ContextSpecific, pin(userPIN))
}

func consentGiven(st *stage) error {
	op := st.signer()
	err := op.Login(st.ctx, pin(userPIN))
	noError(st.t, st.sum(op))
	hasCode(st.t, st.sum(st.signer()), "CKR_USER_NOT_LOGGED_IN") // it was for one
	return err
}

// applicationEvents are the events that do not belong to one session.
var applicationEvents = map[string]func(t *testing.T, r row){
	"CLOSED":         closedEvent,
	"NOT_LOGGED_IN":  openEvent,
	"USER_LOGGED_IN": openEvent,
	"SO_LOGGED_IN":   openEvent,
	"NO_SESSION":     initTokenEvent,
}

// closedEvent calls everything that a session has after it was closed.
func closedEvent(t *testing.T, r row) {
	st := newStage(t, token.RWUser)
	o := must(st.s.Create(st.ctx, data(engine.PublicToken, "o")...))(t)
	pub, priv := pair(t, st.s, engine.PrivateToken, "k")
	noError(t, st.s.Close())
	for name, call := range calls(st.ctx, st.s, o, pub, priv) {
		t.Run(name, func(t *testing.T) { hasCode(t, call(), r.code) })
	}
}

// openEvent opens sessions under each login of the application.
func openEvent(t *testing.T, r row) {
	rig := newRig(t)
	var mine *session.Session
	switch r.state {
	case "NOT_LOGGED_IN":
		mine = rig.open(true)
	case "USER_LOGGED_IN":
		mine = rig.openAs(token.User)
	case "SO_LOGGED_IN":
		mine = rig.openAs(token.SO)
	}
	if r.condition == "token has CKF_WRITE_PROTECTED" {
		// The session that logged in is older than the protection.
		rig.writeProtectFor(mine)
	}
	s, err := tryOpen(t, rig, r)
	hasCode(t, err, r.code)
	if err == nil {
		inState(t, s, states[r.newState])
	}
}

func tryOpen(t *testing.T, r *rig, row row) (*session.Session, error) {
	ctx := t.Context()
	switch row.op + ": " + row.condition {
	case "open_any: slot does not exist":
		return r.module.OpenSession(ctx, 4711)
	case "open_any: slot empty":
		noError(t, r.readers.AddReader("empty"))
		return r.module.OpenSession(ctx, r.slotOf("empty"))
	case "open_any: token not recognized":
		noError(t, r.readers.AddReader("odd"))
		noError(t, r.readers.Insert("odd", oddCard()))
		return r.module.OpenSession(ctx, r.slotOf("odd"))
	case "open_ro: CKF_SERIAL_SESSION":
		return r.module.OpenSession(ctx, r.slot)
	case "open_rw: CKF_SERIAL_SESSION, CKF_RW_SESSION", "open_rw: token has CKF_WRITE_PROTECTED":
		return r.module.OpenSession(ctx, r.slot, session.ReadWrite())
	}
	t.Fatalf("no test runs %v", row)
	return nil, nil
}

// oddCard is a card of a family that nobody knows.
func oddCard() *virtual.Card {
	p := virtual.MyEID500()
	p.ATR = []byte("\x3B\x85\x80\x01Other\x00")
	return virtual.New(virtual.As(p))
}

func initTokenEvent(t *testing.T, r row) {
	ctx := t.Context()
	if r.condition == "token never initialised" {
		rig := blankRig(t)
		_, err := session.Open(ctx, rig.token)
		isCode(t, err, ckr.TokenNotInitialized)
		hasCode(t, rig.token.Initialize(ctx, pin("24682468"), "first"), r.code)
		noError(t, rig.open(true).Login(ctx, token.SO, pin("24682468")))
		return
	}
	rig := newRig(t)
	so := soPIN
	switch r.condition {
	case "SO PIN locked":
		rig.lock(token.SO)
	case "token initialised, PIN equals the SO PIN":
	case "token initialised, wrong SO PIN":
		so = wrongPIN
	case "token write protected":
		rig.writeProtect()
	default:
		t.Fatalf("no test runs %v", r)
	}
	made := rig.openData()
	hasCode(t, rig.token.Initialize(ctx, pin(so), "new"), r.code)
	rig.unlessInitialised(made, r.result == "ok")
}

// openData lists what is on the card before it is initialised.
func (r *rig) openData() []string {
	s := r.open(false)
	defer s.Close()
	return labels(r.t, s)
}

// unlessInitialised checks that a refused C_InitToken changes nothing.
func (r *rig) unlessInitialised(before []string, done bool) {
	r.t.Helper()
	info := must(r.token.Info(r.ctx))(r.t)
	if (info.Label == "new") != done {
		r.t.Errorf("the token is called %q", info.Label)
	}
	if after := r.openData(); !done && strings.Join(after, " ") != strings.Join(before, " ") {
		r.t.Errorf("the objects are %q, were %q", after, before)
	}
}
