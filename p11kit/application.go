package p11kit

import (
	"context"
	"sync"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// application is one client: a PKCS #11 application with the handles that C
// needs.
type application struct {
	root    *cryptoki.Module
	offered byte // the version of the protocol that the client offered, which says how its fields travel
	agreed  byte // the version that says what calls there are

	mu       sync.Mutex
	m        *cryptoki.Module
	sessions map[uint64]*client
	objects  map[token.Token]map[uint64]*object.Object
	last     uint64
}

// begun reports whether C_Initialize was called.
func (a *application) begun() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.m != nil
}

func (a *application) module() *cryptoki.Module {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.m
}

// initialize begins the application (C_Initialize).
func (a *application) initialize(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m != nil {
		return ckr.CryptokiAlreadyInitialized
	}
	m, err := a.root.Application(ctx)
	if err != nil {
		return err
	}
	a.m = m
	a.sessions = make(map[uint64]*client)
	a.objects = make(map[token.Token]map[uint64]*object.Object)
	return nil
}

// end ends the application (C_Finalize): sessions, login and session objects.
func (a *application) end() error {
	a.mu.Lock()
	m, sessions := a.m, a.sessions
	a.m, a.sessions, a.objects = nil, nil, nil
	a.mu.Unlock()
	for _, c := range sessions {
		c.drop()
	}
	if m == nil {
		return nil
	}
	return m.Close()
}

// client is a session as C sees it: at most one operation of each kind.
type client struct {
	app  *application
	s    *session.Session
	slot slot.ID
	rw   bool

	mu     sync.Mutex
	found  []uint64 // handles of the search that were not fetched yet
	search bool
	ops    [kinds]operation
	wrap   wrapping
}

// add keeps a new session and returns its handle.
func (a *application) add(c *client) (uint64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.m == nil {
		return 0, ckr.CryptokiNotInitialized
	}
	a.last++
	a.sessions[a.last] = c
	return a.last, nil
}

// session returns the one with a handle.
func (a *application) session(h uint64) (*client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.sessions[h]
	if c == nil {
		return nil, ckr.SessionHandleInvalid
	}
	return c, nil
}

// remove forgets a session.
func (a *application) remove(h uint64) *client {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.sessions[h]
	delete(a.sessions, h)
	return c
}

// drop ends all operations of the session.
func (c *client) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.ops {
		c.end(kind(k))
	}
	c.found, c.search = nil, false
	c.wrap.drop()
}

// give remembers an object for its handle.
func (c *client) give(o *object.Object) uint64 {
	a := c.app
	a.mu.Lock()
	defer a.mu.Unlock()
	t := c.s.Token()
	if a.objects == nil {
		return o.Handle()
	}
	if a.objects[t] == nil {
		a.objects[t] = make(map[uint64]*object.Object)
	}
	a.objects[t][o.Handle()] = o
	return o.Handle()
}

// object returns the one with a handle; nil for a handle that means nothing,
// which the session then refuses with the code that fits.
func (c *client) object(h uint64) *object.Object {
	a := c.app
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.objects[c.s.Token()][h]
}
