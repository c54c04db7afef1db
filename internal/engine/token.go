package engine

import (
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/soft"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Token is one application's view of a Card: its login, its sessions, its
// session objects and the handles it has been given. It is safe for
// concurrent use.
type Token struct {
	card *Card

	mu       sync.Mutex
	login    token.Role
	epoch    uint64 // grows whenever private objects become void
	sessions map[*Session]struct{}
	entries  map[uint64]*entry
	byRef    map[driver.Ref]*entry
	index    index             // of session objects
	own      map[string]*entry // features by name
	last     uint64            // last handle given
	ended    bool              // the application has ended
	legacy   bool              // what is broken or weak is offered, too
	asking   chan struct{}     // holds a value while a person is asked

	onRefusal func(token.Role, token.PIN) // guarded by Card.mu
}

func newToken(c *Card) *Token {
	return &Token{
		card: c, login: nobody,
		sessions: make(map[*Session]struct{}), entries: make(map[uint64]*entry), byRef: make(map[driver.Ref]*entry),
		asking: make(chan struct{}, 1),
	}
}

// entry is an object that the application holds a handle of.
type entry struct {
	obj     *object.Object
	private bool
	dead    bool

	ref     driver.Ref // a token object's name
	feature *feature   // or what the token has of itself

	// A session object:
	owner *Session
	links [lists]neighbours
	all   object.Template // the only holder of its secret values
	shown object.Template // what of it may be read
	key   *soft.Material
	can   map[mechanism.Type]mechanism.Info // with key; shared
	using sync.RWMutex                      // held for reading while key works
}

func (e *entry) onToken() bool { return e.owner == nil }

func (e *entry) kind() Kind { return kindOf(e.onToken(), e.private) }

// Card returns the card that the token is on.
func (t *Token) Card() *Card { return t.card }

// Alive is false once the card was removed. It does not reach the card.
func (t *Token) Alive() bool { return t.card.Alive() }

// Info describes the token; see Card.Info.
func (t *Token) Info(ctx context.Context) (token.Info, error) { return t.card.Info(ctx) }

// Mechanisms lists what the token can do: on the card, and in software for
// session and public keys (C_GetMechanismList, C_GetMechanismInfo). The card
// is not reached.
func (t *Token) Mechanisms() map[mechanism.Type]mechanism.Info {
	all := soft.All(t.legacy)
	for m, hw := range t.card.backend.Mechanisms("") {
		sw, both := all[m]
		if !both {
			all[m] = hw
			continue
		}
		sw.MinKeySize = min(sw.MinKeySize, hw.MinKeySize)
		sw.MaxKeySize = max(sw.MaxKeySize, hw.MaxKeySize)
		sw.Flags |= hw.Flags
		all[m] = sw
	}
	return all
}

// AllowLegacy offers the application what is broken or weak as well: MD5, DES,
// triple DES, raw RSA, and RSA with less than 2048 bits. It is called before
// the token is used.
func (t *Token) AllowLegacy() { t.legacy = true }

// Offers returns ckr.MechanismInvalid for a mechanism that software does not
// do for the application.
func (t *Token) Offers(op string, m mechanism.Type) error {
	if !soft.Supports(m, t.legacy) {
		return ckr.Newf(ckr.MechanismInvalid, op, "%v is not offered", m)
	}
	return nil
}

// Offers is Token.Offers.
func (s *Session) Offers(op string, m mechanism.Type) error { return s.t.Offers(op, m) }

// Close ends all sessions of the application and its view of the token. The
// card may be reached if the application is logged in.
func (t *Token) Close(ctx context.Context) error {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	err := t.CloseSessions(ctx)
	t.card.drop(t)
	return err
}

// CloseSessions closes all sessions of the application with the token
// (C_CloseAllSessions) and logs it out.
func (t *Token) CloseSessions(ctx context.Context) error {
	t.mu.Lock()
	var dead pending
	for s := range t.sessions {
		t.endSession(s, &dead)
	}
	role := t.logout(&dead)
	t.mu.Unlock()
	dead.clear()
	return t.forgetOnCard(ctx, role)
}

// Initialize makes the token anew (C_InitToken, PKCS #11 v3.2 §5.5.7):
// everything on it is lost, the label is set, and the user's PIN is not
// initialised. On a token that was initialised, so must be the SO PIN. Errors:
// ckr.SessionExists while any application has a session, ckr.PINIncorrect,
// ckr.PINLocked, ckr.PINLenRange, ckr.TokenWriteProtected, ckr.ArgumentsBad
// for a label of over 32 bytes. The caller clears so.
func (t *Token) Initialize(ctx context.Context, so token.PIN, label string) error {
	const op = "initialise token"
	if len(label) > 32 {
		return ckr.Newf(ckr.ArgumentsBad, op, "the label has %d bytes; 32 fit", len(label))
	}
	c := t.card
	maker, ok := c.backend.(driver.Initializer)
	if !ok {
		return ckr.Newf(ckr.FunctionNotSupported, op, "this card is initialised by its issuer")
	}
	return c.withTransaction(ctx, op, func(ctx context.Context) error {
		info, err := c.readInfo(ctx)
		if err != nil {
			return err
		}
		if info.Flags.Has(token.FlagWriteProtected) {
			return ckr.New(ckr.TokenWriteProtected, "", nil)
		}
		check := checkEntered
		if !info.Flags.Has(token.FlagTokenInitialized) {
			check = checkNew
		}
		if err := check("", so, info.MinSOPIN, info.MaxSOPIN, false); err != nil {
			return err
		}
		if err := c.beginMaking(); err != nil {
			return err
		}
		err = maker.Initialize(ctx, so, label)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.making = false
		c.forget(token.SO)
		c.forget(token.User)
		c.replace(nil, false, false)
		c.dir.loaded = false
		c.info = nil
		return err
	})
}

// beginMaking keeps sessions from being opened, if none is. The caller ends it
// within the same transaction, for which those who open one wait.
func (c *Card) beginMaking() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy := c.sessions(); busy > 0 {
		return ckr.Newf(ckr.SessionExists, "", "%d open", busy)
	}
	c.making, c.info = true, nil
	return nil
}

// loggedIn is the application's login.
func (t *Token) loggedIn() token.Role {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.login
}

func (t *Token) countSessions() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sessions)
}

// pending collects the secrets of objects that have become void, to be cleared
// once no lock is held and no operation uses them.
type pending []*entry

func (d pending) clear() {
	for _, e := range d {
		if e.key != nil {
			e.using.Lock()
			soft.Clear(e.key)
			e.using.Unlock()
		}
	}
}

// remove makes an entry void. The caller holds t.mu.
func (t *Token) remove(e *entry, d *pending) {
	if e.dead {
		return
	}
	e.dead = true
	delete(t.entries, e.obj.Handle())
	if e.onToken() {
		delete(t.byRef, e.ref)
		return
	}
	t.index.remove(e)
	e.all.Clear()
	e.all, e.shown = nil, nil
	*d = append(*d, e)
}

// logout ends the login: private objects become void, private session objects
// are destroyed. It returns who was logged in. The caller holds t.mu.
func (t *Token) logout(d *pending) token.Role {
	was := t.login
	if was == nobody {
		return nobody
	}
	t.login = nobody
	t.epoch++
	for _, e := range t.entries {
		if e.private {
			t.remove(e, d)
		}
	}
	return was
}

// dropLogin is a logout that the card brought about; nobody stands for any
// role.
func (t *Token) dropLogin(r token.Role) {
	t.mu.Lock()
	var dead pending
	if r == nobody || t.login == r {
		t.logout(&dead)
	}
	t.mu.Unlock()
	dead.clear()
}

// cardGone voids everything.
func (t *Token) cardGone() {
	t.mu.Lock()
	var dead pending
	t.logout(&dead)
	for s := range t.sessions {
		t.endSession(s, &dead)
	}
	for _, e := range t.entries {
		t.remove(e, &dead)
	}
	t.mu.Unlock()
	dead.clear()
}

// prune voids the handles of token objects that are not there any more.
func (t *Token) prune(records map[driver.Ref]*record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var none pending
	for ref, e := range t.byRef {
		if records[ref] == nil {
			t.remove(e, &none)
		}
	}
}

// forgetOnCard lets the card forget role r if no other application is logged
// in with it. What cannot be sent now is sent before the next use.
func (t *Token) forgetOnCard(ctx context.Context, r token.Role) error {
	if r == nobody || !t.card.owe(r) {
		return nil
	}
	return t.card.withTransaction(ctx, "logout", func(context.Context) error { return nil })
}

// give returns the entry of a token object, with a new handle if the
// application has none yet. The caller holds t.mu.
func (t *Token) give(r *driver.Record) *entry {
	if e := t.byRef[r.Ref]; e != nil {
		return e
	}
	class, _ := object.In(r.Known, object.AttrClass)
	e := &entry{ref: r.Ref, private: r.Private}
	e.obj = object.New(t, t.next(), class)
	t.entries[e.obj.Handle()] = e
	t.byRef[r.Ref] = e
	return e
}

// next is a new handle; 0 is none (PKCS #11 v3.2 §5.7). The caller holds t.mu.
func (t *Token) next() uint64 {
	t.last++
	return t.last
}

// find returns the entry behind a handle that is good now. The caller holds
// t.mu.
func (t *Token) find(o *object.Object, missing ckr.Code) (*entry, error) {
	if o == nil {
		return nil, ckr.New(missing, "", nil)
	}
	e := t.entries[o.Handle()]
	if e == nil || e.obj != o {
		return nil, ckr.New(missing, "", nil)
	}
	return e, nil
}
