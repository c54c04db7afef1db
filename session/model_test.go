package session_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestModel runs random sequences of calls of two applications on one card,
// and compares each result with a small model of who sees what for how long.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(t)
		defer m.close()
		rt.Repeat(m.actions(rt))
	})
}

// machine is the card and its model. A step that makes no sense where a walk is
// calls Skip of rapid, which draws another step; the test is not skipped.
type machine struct {
	*rig
	apps  [2]*modelApp
	cards map[*modelObject]bool // token objects
	in    bool                  // the card is in the reader
	made  int
}

// modelApp is one application.
type modelApp struct {
	rig      *rig
	login    token.Role // 0xFF: nobody
	sessions []*modelSession
	objects  []*modelObject // session objects
	// handles are all that were ever given, with their object; a nil object
	// is a handle that is void for good.
	handles map[*object.Object]*modelObject
	order   []*object.Object
}

type modelSession struct {
	real *session.Session
	rw   bool
	open bool
}

type modelObject struct {
	label          string
	private, token bool
	modifiable     bool
	owner          *modelSession
}

const nobody = token.Role(0xFF)

func newMachine(t *testing.T) *machine {
	m := &machine{rig: newRig(t), cards: map[*modelObject]bool{}, in: true}
	for i := range m.apps {
		m.apps[i] = &modelApp{rig: m.rig, login: nobody, handles: map[*object.Object]*modelObject{}}
		if i > 0 {
			m.apps[i].rig = m.application()
		}
	}
	return m
}

func (m *machine) close() {
	for _, a := range m.apps {
		a.rig.module.Close()
	}
}

// actions are the steps that a sequence is made of; the empty one is a check
// after each.
func (m *machine) actions(rt *rapid.T) map[string]func(*rapid.T) {
	with := func(f func(t *rapid.T, a *modelApp, s *modelSession)) func(*rapid.T) {
		return func(t *rapid.T) {
			a := m.apps[rapid.IntRange(0, 1).Draw(t, "application")]
			var open []*modelSession
			for _, s := range a.sessions {
				if s.open {
					open = append(open, s)
				}
			}
			if len(open) == 0 {
				m.openSession(t, a)
				return
			}
			f(t, a, open[rapid.IntRange(0, len(open)-1).Draw(t, "session")])
		}
	}
	return map[string]func(*rapid.T){
		"open":    func(t *rapid.T) { m.openSession(t, m.apps[rapid.IntRange(0, 1).Draw(t, "application")]) },
		"close":   with(m.closeSession),
		"login":   with(m.loginAs),
		"logout":  with(m.logoutOf),
		"create":  with(m.create),
		"copy":    with(m.copy),
		"set":     with(m.set),
		"destroy": with(m.destroy),
		"read":    with(m.read),
		"find":    with(m.find),
		"remove":  func(t *rapid.T) { m.remove(t) },
		"":        m.check,
	}
}

func want(t *rapid.T, what string, err error, codes ...ckr.Code) {
	if code := ckr.Of(err); !slices.Contains(codes, code) {
		t.Fatalf("%s: got %v (%v), want %v", what, code.Name(), err, codes)
	}
}

func (a *modelApp) state(s *modelSession) token.State {
	switch {
	case a.login == token.SO:
		return token.RWSO
	case a.login == token.User && s.rw:
		return token.RWUser
	case a.login == token.User:
		return token.ROUser
	case s.rw:
		return token.RWPublic
	}
	return token.ROPublic
}

func (a *modelApp) openSessions() (all, readOnly int) {
	for _, s := range a.sessions {
		if s.open {
			all++
			if !s.rw {
				readOnly++
			}
		}
	}
	return all, readOnly
}

func (m *machine) openSession(t *rapid.T, a *modelApp) {
	if n, _ := a.openSessions(); n > 4 {
		t.Skip("enough sessions")
	}
	rw := rapid.Bool().Draw(t, "rw")
	var opts []session.Option
	if rw {
		opts = append(opts, session.ReadWrite())
	}
	real, err := session.Open(m.ctx, a.rig.token, opts...)
	if !rw && a.login == token.SO {
		want(t, "open", err, ckr.SessionReadWriteSOExists)
		return
	}
	want(t, "open", err, ckr.OK)
	a.sessions = append(a.sessions, &modelSession{real: real, rw: rw, open: true})
}

func (m *machine) closeSession(t *rapid.T, a *modelApp, s *modelSession) {
	want(t, "close", s.real.Close(), ckr.OK)
	a.closed(s)
}

func (a *modelApp) closed(s *modelSession) {
	s.open = false
	a.drop(func(o *modelObject) bool { return o.owner == s })
	if n, _ := a.openSessions(); n == 0 {
		a.loggedOut()
		a.drop(func(*modelObject) bool { return true }) // the handles are the sessions'
	}
}

// drop voids handles for good, and forgets session objects.
func (a *modelApp) drop(gone func(o *modelObject) bool) {
	a.objects = slices.DeleteFunc(a.objects, gone)
	for h, o := range a.handles {
		if o != nil && gone(o) {
			a.handles[h] = nil
		}
	}
}

func (a *modelApp) loggedOut() {
	a.login = nobody
	a.drop(func(o *modelObject) bool { return o.private })
}

func (m *machine) loginAs(t *rapid.T, a *modelApp, s *modelSession) {
	role := rapid.SampledFrom([]token.Role{token.User, token.User, token.SO}).Draw(t, "role")
	err := s.real.Login(m.ctx, role, pin(pinOf(role)))
	_, readOnly := a.openSessions()
	switch {
	case a.login == role:
		want(t, "login", err, ckr.UserAlreadyLoggedIn)
	case a.login != nobody:
		want(t, "login", err, ckr.UserAnotherAlreadyLoggedIn, ckr.SessionReadOnlyExists)
	case role == token.SO && readOnly > 0:
		want(t, "login", err, ckr.SessionReadOnlyExists)
	default:
		want(t, "login", err, ckr.OK)
		a.login = role
	}
}

func (m *machine) logoutOf(t *rapid.T, a *modelApp, s *modelSession) {
	err := s.real.Logout(m.ctx)
	if a.login == nobody {
		want(t, "logout", err, ckr.UserNotLoggedIn)
		return
	}
	want(t, "logout", err, ckr.OK)
	a.loggedOut()
}

func (o *modelObject) kind() engine.Kind {
	switch {
	case o.token && o.private:
		return engine.PrivateToken
	case o.token:
		return engine.PublicToken
	case o.private:
		return engine.PrivateSession
	}
	return engine.PublicSession
}

// may tells what the rules say: the model's own, not those of the table.
func (a *modelApp) may(s *modelSession, o *modelObject, write bool) bool {
	if o.private && a.login != token.User {
		return false
	}
	return !write || !o.token || s.rw
}

func (m *machine) create(t *rapid.T, a *modelApp, s *modelSession) {
	if len(m.cards)+len(a.objects) > 20 {
		t.Skip("enough objects")
	}
	m.made++
	o := &modelObject{
		label: fmt.Sprint("object ", m.made), owner: s,
		private: rapid.Bool().Draw(t, "private"), token: rapid.Bool().Draw(t, "token"), modifiable: rapid.Bool().Draw(t, "modifiable"),
	}
	real, err := s.real.Create(m.ctx, data(o.kind(), o.label, object.AttrModifiable.Is(o.modifiable))...)
	m.came(t, a, s, "create", o, real, err)
}

// came takes note of a new object, or of its refusal.
func (m *machine) came(t *rapid.T, a *modelApp, s *modelSession, what string, o *modelObject, real *object.Object, err error) {
	switch {
	case a.may(s, o, true):
		want(t, what, err, ckr.OK)
		a.add(real, o)
		if o.token {
			o.owner = nil
			m.cards[o] = true
		} else {
			a.objects = append(a.objects, o)
		}
	case o.private && a.login != token.User && o.token && !s.rw:
		want(t, what, err, ckr.UserNotLoggedIn, ckr.SessionReadOnly)
	case o.private && a.login != token.User:
		want(t, what, err, ckr.UserNotLoggedIn)
	default:
		want(t, what, err, ckr.SessionReadOnly)
	}
}

func (a *modelApp) add(real *object.Object, o *modelObject) {
	if _, known := a.handles[real]; !known {
		a.order = append(a.order, real)
	}
	a.handles[real] = o
}

// handle draws a handle that the application was once given.
func (a *modelApp) handle(t *rapid.T) (*object.Object, *modelObject) {
	if len(a.order) == 0 {
		t.Skip("no handle yet")
	}
	h := a.order[rapid.IntRange(0, len(a.order)-1).Draw(t, "handle")]
	return h, a.handles[h]
}

func (m *machine) copy(t *rapid.T, a *modelApp, s *modelSession) {
	if len(m.cards)+len(a.objects) > 20 {
		t.Skip("enough objects")
	}
	h, o := a.handle(t)
	m.made++
	c := &modelObject{label: fmt.Sprint("object ", m.made), owner: s, token: rapid.Bool().Draw(t, "token"), modifiable: true}
	c.private = o != nil && o.private || rapid.Bool().Draw(t, "private")
	real, err := s.real.Copy(m.ctx, h, object.AttrLabel.Is(c.label),
		object.AttrToken.Is(c.token), object.AttrPrivate.Is(c.private), object.AttrModifiable.Is(true))
	if o == nil || !a.may(s, o, false) {
		want(t, "copy", err, ckr.ObjectHandleInvalid)
		return
	}
	m.came(t, a, s, "copy", c, real, err)
}

func (m *machine) set(t *rapid.T, a *modelApp, s *modelSession) {
	h, o := a.handle(t)
	m.made++
	label := fmt.Sprint("label ", m.made)
	err := s.real.Set(m.ctx, h, object.AttrLabel.Is(label))
	switch {
	case o == nil:
		want(t, "set", err, ckr.ObjectHandleInvalid)
	case !o.modifiable:
		want(t, "set", err, ckr.ActionProhibited, ckr.SessionReadOnly)
	case !a.may(s, o, true):
		want(t, "set", err, ckr.SessionReadOnly)
	default:
		want(t, "set", err, ckr.OK)
		o.label = label
	}
}

func (m *machine) destroy(t *rapid.T, a *modelApp, s *modelSession) {
	h, o := a.handle(t)
	err := s.real.Destroy(m.ctx, h)
	switch {
	case o == nil:
		want(t, "destroy", err, ckr.ObjectHandleInvalid)
	case !a.may(s, o, true):
		want(t, "destroy", err, ckr.SessionReadOnly)
	default:
		want(t, "destroy", err, ckr.OK)
		delete(m.cards, o)
		for _, b := range m.apps {
			b.drop(func(p *modelObject) bool { return p == o })
		}
	}
}

func (m *machine) read(t *rapid.T, a *modelApp, s *modelSession) {
	h, o := a.handle(t)
	values, err := s.real.Attributes(m.ctx, h, object.AttrLabel.Type)
	if o == nil {
		want(t, "read", err, ckr.ObjectHandleInvalid)
		return
	}
	want(t, "read", err, ckr.OK)
	if got := string(values[0].Bytes()); got != o.label {
		t.Fatalf("read %q, want %q", got, o.label)
	}
}

// find searches, and takes note of the handles.
func (m *machine) find(t *rapid.T, a *modelApp, s *modelSession) {
	seen := map[string]*modelObject{}
	for _, o := range a.objects {
		seen[o.label] = o
	}
	for o := range m.cards {
		seen[o.label] = o
	}
	var got, wanted []string
	for _, o := range seen {
		if a.may(s, o, false) {
			wanted = append(wanted, o.label)
		}
	}
	for h, err := range s.real.Find(m.ctx) {
		want(t, "find", err, ckr.OK)
		label, err := object.Get(m.ctx, h, object.AttrLabel)
		want(t, "label", err, ckr.OK)
		got = append(got, label)
		if o := seen[label]; o != nil {
			if known, given := a.handles[h]; given && known != o {
				t.Fatalf("the handle of %q was another object's", label)
			}
			a.add(h, o)
		}
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatal(diff)
	}
}

// remove takes the card out and puts it in again: for each application all
// ends, at the latest when it is used.
func (m *machine) remove(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "really") > 0 {
		t.Skip("not yet")
	}
	if err := m.readers.Remove(reader); err != nil {
		t.Fatal(err)
	}
	if err := m.readers.Insert(reader, m.card); err != nil {
		t.Fatal(err)
	}
	first := true
	for _, a := range m.apps {
		for _, s := range a.sessions {
			if !s.open {
				continue
			}
			_, err := s.real.Info()
			if first {
				want(t, "info", err, ckr.DeviceRemoved)
				first = false
			} else {
				want(t, "info", err, ckr.SessionHandleInvalid)
			}
			s.open = false
		}
		a.loggedOut()
		a.drop(func(*modelObject) bool { return true })
	}
	for _, a := range m.apps {
		a.rig.look()
	}
}

// check compares what does not need the card.
func (m *machine) check(t *rapid.T) {
	for i, a := range m.apps {
		for _, s := range a.sessions {
			info, err := s.real.Info()
			if !s.open {
				want(t, "info", err, ckr.SessionHandleInvalid)
				continue
			}
			want(t, "info", err, ckr.OK)
			if info.State != a.state(s) {
				t.Fatalf("application %d: the state is %v, want %v", i, info.State, a.state(s))
			}
		}
	}
}
