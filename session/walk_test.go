package session_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/engine"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// walkSteps is how many steps TestWalk does in all. The long walk, under the
// race detector, is
//
//	go test -race ./session -run TestWalk -walk.steps 1000000
var walkSteps = flag.Int("walk.steps", 30_000, "steps of TestWalk")

// The shape of the walk: applications on one card, walkers in each.
const (
	walkApps    = 8
	walkWalkers = 8
)

// walkCreated bounds the token objects that are made: names of files on the
// card are not used again while a program runs.
const walkCreated = 200

// walkApp is one application and its login. Walkers hold gate for reading
// while they do what depends on the login, and for writing to change it.
type walkApp struct {
	rig     *rig
	created *atomic.Int64 // token objects, by all
	gate    sync.RWMutex
	login   token.Role
	base    *session.Session // keeps the application logged in
	walkers []*walker
}

// walker is one goroutine. Its objects have labels of its own, so that what it
// sees of them does not depend on what others do.
type walker struct {
	app     *walkApp
	name    string
	random  *rand.Rand
	session *session.Session
	rw      bool
	made    int
	objects []*walkObject
	void    []*object.Object // handles that mean nothing any more
	signs   int
}

// walkObject is an object as the reference model has it.
type walkObject struct {
	o       *object.Object
	label   string
	kind    engine.Kind
	value   []byte
	visible bool // the handle is good
}

// TestWalk lets many goroutines of several applications do random steps at
// once, and compares each result with a reference model.
func TestWalk(t *testing.T) {
	r := newRig(t)
	ctx := t.Context()
	var walkers []*walker
	var created atomic.Int64
	for i := range walkApps {
		app := &walkApp{rig: r, created: &created, login: nobody}
		if i > 0 {
			app.rig = r.application()
		}
		app.base = app.rig.open(true)
		for j := range walkWalkers {
			w := &walker{app: app, name: fmt.Sprintf("%d-%d", i, j), random: rand.New(rand.NewPCG(uint64(i), uint64(j)))}
			w.reopen(ctx)
			app.walkers = append(app.walkers, w)
			walkers = append(walkers, w)
		}
	}
	var group sync.WaitGroup
	for _, w := range walkers {
		group.Go(func() {
			for step := range *walkSteps / len(walkers) {
				if problem := w.step(ctx); problem != "" {
					t.Errorf("walker %s, step %d: %s", w.name, step, problem)
					return
				}
			}
		})
	}
	group.Wait()
}

// reopen opens the walker's session anew, read/write or not. The caller holds
// the gate, or nobody else is there.
func (w *walker) reopen(ctx context.Context) string {
	w.rw = w.random.IntN(2) == 0 || w.app.login == token.SO
	opts := []session.Option{session.ReadWrite()}
	if !w.rw {
		opts = nil
	}
	s, err := session.Open(ctx, w.app.rig.token, opts...)
	w.session = s
	return unless("open", err, ckr.OK)
}

// unless describes an error that is not one of the codes.
func unless(what string, err error, codes ...ckr.Code) string {
	got := ckr.Of(err)
	for _, c := range codes {
		if got == c {
			return ""
		}
	}
	return fmt.Sprintf("%s: got %s (%v), want %v", what, got.Name(), err, codes)
}

// state is the walker's session state.
func (w *walker) state() token.State {
	switch {
	case w.app.login == token.SO:
		return token.RWSO
	case w.app.login == token.User && w.rw:
		return token.RWUser
	case w.app.login == token.User:
		return token.ROUser
	case w.rw:
		return token.RWPublic
	}
	return token.ROPublic
}

func (w *walker) user() bool { return w.app.login == token.User }

// step does one random step.
func (w *walker) step(ctx context.Context) string {
	switch n := w.random.IntN(1000); {
	case n < 4:
		return w.changeLogin(ctx)
	case n < 30:
		w.app.gate.RLock()
		defer w.app.gate.RUnlock()
		return w.close(ctx)
	default:
		w.app.gate.RLock()
		defer w.app.gate.RUnlock()
		return w.act(ctx, n)
	}
}

func (w *walker) act(ctx context.Context, n int) string {
	switch {
	case n < 200:
		return w.create(ctx)
	case n < 420:
		return w.find(ctx)
	case n < 600:
		return w.read(ctx)
	case n < 680:
		return w.set(ctx)
	case n < 760:
		return w.copy(ctx)
	case n < 860:
		return w.destroy(ctx)
	case n < 920:
		return w.useVoid(ctx)
	}
	info, err := w.session.Info()
	if info.State != w.state() {
		return fmt.Sprintf("state %v, want %v (%v)", info.State, w.state(), err)
	}
	return ""
}

// changeLogin logs in or out, which changes what all walkers of the
// application see.
func (w *walker) changeLogin(ctx context.Context) string {
	w.app.gate.Lock()
	defer w.app.gate.Unlock()
	if w.app.login != nobody {
		if problem := unless("logout", w.session.Logout(ctx), ckr.OK); problem != "" {
			return problem
		}
		w.app.login = nobody
		for _, other := range w.app.walkers {
			other.loggedOut()
		}
		return ""
	}
	if w.random.IntN(4) > 0 {
		w.app.login = token.User
		return unless("login", w.session.Login(ctx, token.User, pin(userPIN)), ckr.OK)
	}
	for _, other := range w.app.walkers {
		if !other.rw {
			return unless("SO login beside a read-only session", w.session.Login(ctx, token.SO, pin(soPIN)), ckr.SessionReadOnlyExists)
		}
	}
	w.app.login = token.SO
	return unless("SO login", w.session.Login(ctx, token.SO, pin(soPIN)), ckr.OK)
}

// loggedOut forgets private session objects, and private token objects'
// handles.
func (w *walker) loggedOut() {
	var left []*walkObject
	for _, o := range w.objects {
		if o.kind.Private() && o.visible {
			w.forget(o.o)
			o.visible = false
		}
		if o.kind != engine.PrivateSession {
			left = append(left, o)
		}
	}
	w.objects = left
}

// forget keeps a handle that is void.
func (w *walker) forget(o *object.Object) {
	if len(w.void) < 32 {
		w.void = append(w.void, o)
		return
	}
	w.void[w.made%len(w.void)] = o
}

// close closes the walker's session, whose session objects die, and opens
// another.
func (w *walker) close(ctx context.Context) string {
	if problem := unless("close", w.session.Close(), ckr.OK); problem != "" {
		return problem
	}
	if problem := unless("find in a closed session", w.failedFind(ctx), ckr.SessionHandleInvalid); problem != "" {
		return problem
	}
	var left []*walkObject
	for _, o := range w.objects {
		if o.kind.Token() {
			left = append(left, o)
			continue
		}
		w.forget(o.o)
	}
	w.objects = left
	return w.reopen(ctx)
}

func (w *walker) failedFind(ctx context.Context) error {
	for _, err := range w.session.Find(ctx) {
		return err
	}
	return nil
}

// create makes an object; token objects are rare, for cards are small.
func (w *walker) create(ctx context.Context) string {
	kind := engine.Kind(w.random.IntN(2))
	if w.random.IntN(100) == 0 {
		kind = engine.Kind(2 + w.random.IntN(2))
	}
	if kind.Token() && (w.count(true) >= 1 || w.app.created.Add(1) > walkCreated) || w.count(false) > 20 {
		return w.destroy(ctx)
	}
	w.made++
	made := &walkObject{label: fmt.Sprintf("%s %d", w.name, w.made), kind: kind, value: fmt.Append(nil, "value ", w.made), visible: true}
	o, err := w.session.Create(ctx, data(kind, made.label, object.AttrValue.Is(made.value))...)
	code := engine.Access(w.state(), kind, driver.Create)
	if err == nil {
		made.o = o
		w.objects = append(w.objects, made)
	}
	return unless(fmt.Sprintf("create a %v in %v", kind, w.state()), err, code)
}

func (w *walker) count(onToken bool) (n int) {
	for _, o := range w.objects {
		if o.kind.Token() == onToken {
			n++
		}
	}
	return n
}

// any returns one of the walker's objects, or nil.
func (w *walker) any() *walkObject {
	if len(w.objects) == 0 {
		return nil
	}
	return w.objects[w.random.IntN(len(w.objects))]
}

// find searches for one object by its label, and for the labels of others.
func (w *walker) find(ctx context.Context) string {
	o := w.any()
	if o == nil {
		return ""
	}
	var found []*object.Object
	for f, err := range w.session.Find(ctx, object.AttrLabel.Is(o.label)) {
		if err != nil {
			return unless("find", err, ckr.OK)
		}
		found = append(found, f)
	}
	sees := !o.kind.Private() || w.user()
	if sees != (len(found) == 1) {
		return fmt.Sprintf("%q, a %v, is found %d times in %v", o.label, o.kind, len(found), w.state())
	}
	if !sees {
		return ""
	}
	if o.visible && o.o != found[0] {
		return fmt.Sprintf("%q has another handle", o.label)
	}
	o.o, o.visible = found[0], true
	return ""
}

// read reads an object by its handle.
func (w *walker) read(ctx context.Context) string {
	o := w.any()
	if o == nil {
		return ""
	}
	values, err := w.session.Attributes(ctx, o.o, object.AttrLabel.Type, object.AttrValue.Type, object.AttrPrivate.Type)
	if !o.visible {
		return unless("read by a void handle", err, ckr.ObjectHandleInvalid)
	}
	if err != nil {
		return unless("read", err, ckr.OK)
	}
	got := object.Template{values[0].Attribute, values[1].Attribute, values[2].Attribute}
	if !got.Matches(object.Template{object.AttrLabel.Is(o.label), object.AttrValue.Is(o.value), object.AttrPrivate.Is(o.kind.Private())}) {
		return fmt.Sprintf("%q reads %v", o.label, got)
	}
	return ""
}

func (w *walker) set(ctx context.Context) string {
	o := w.any()
	if o == nil {
		return ""
	}
	w.made++
	label := fmt.Sprintf("%s %d", w.name, w.made)
	err := w.session.Set(ctx, o.o, object.AttrLabel.Is(label))
	if !o.visible {
		return unless("set by a void handle", err, ckr.ObjectHandleInvalid)
	}
	if err == nil {
		o.label = label
	}
	return unless(fmt.Sprintf("set a %v in %v", o.kind, w.state()), err, engine.Access(w.state(), o.kind, driver.Modify))
}

// copy makes a session object of an object.
func (w *walker) copy(ctx context.Context) string {
	o := w.any()
	if o == nil || w.count(false) > 20 {
		return ""
	}
	w.made++
	made := &walkObject{label: fmt.Sprintf("%s %d", w.name, w.made), kind: engine.PublicSession, value: o.value, visible: true}
	if o.kind.Private() {
		made.kind = engine.PrivateSession
	}
	handle, err := w.session.Copy(ctx, o.o, object.AttrLabel.Is(made.label), object.AttrToken.Is(false))
	if !o.visible {
		return unless("copy by a void handle", err, ckr.ObjectHandleInvalid)
	}
	if err == nil {
		made.o = handle
		w.objects = append(w.objects, made)
	}
	return unless(fmt.Sprintf("copy a %v in %v", o.kind, w.state()), err, engine.Access(w.state(), made.kind, driver.Create))
}

func (w *walker) destroy(ctx context.Context) string {
	o := w.any()
	if o == nil {
		return ""
	}
	err := w.session.Destroy(ctx, o.o)
	if !o.visible {
		return unless("destroy by a void handle", err, ckr.ObjectHandleInvalid)
	}
	if err == nil {
		w.forget(o.o)
		for i := range w.objects {
			if w.objects[i] == o {
				w.objects = append(w.objects[:i], w.objects[i+1:]...)
				break
			}
		}
	}
	return unless(fmt.Sprintf("destroy a %v in %v", o.kind, w.state()), err, engine.Access(w.state(), o.kind, driver.Destroy))
}

// useVoid uses a handle that means nothing any more, or that of another
// application.
func (w *walker) useVoid(ctx context.Context) string {
	if len(w.void) == 0 {
		return ""
	}
	o := w.void[w.random.IntN(len(w.void))]
	_, err := w.session.Attributes(ctx, o, object.AttrLabel.Type)
	return unless("read by a void handle", err, ckr.ObjectHandleInvalid)
}
