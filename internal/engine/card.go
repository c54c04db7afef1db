package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/codes"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// Card is a token as all applications of the process share it: one Backend,
// its cached directories, and the PINs of those who are logged in. It is safe
// for concurrent use.
//
// Locks are taken in this order: the card's transaction, Card.mu, Token.mu.
type Card struct {
	backend driver.Backend
	reader  string        // the reader that it is in
	slot    atomic.Uint64 // and the slot's id, once it has one

	insertion uint64 // a number of its own

	mu       sync.Mutex
	tokens   map[*Token]struct{}
	removed  bool
	epoch    uint64
	resets   uint64
	visits   uint64         // transactions before which others may have used the card
	pins     [2]token.PIN   // of SO and User, while an application is logged in
	wrong    [2][]token.PIN // those that the card refused
	verified [2]trust       // what the card holds verified
	settled  [2]bool        // nobody else has used the card since it accepted a PIN
	owed     [2]bool        // a Logout that could not be sent yet
	info     *token.Info    // as read last
	making   bool           // Initialize is under way: no session is opened
	dir      directory

	// protected is the write protection that info tells of. It is read under
	// Token.mu, too.
	protected atomic.Bool
}

// trust is what is known of a PIN's verified state at the card.
type trust uint8

const (
	unverified trust = iota
	verified
	doubtful // somebody else may have changed it
)

// NewCard returns a Card over a Backend. The name of the reader tells people who
// are asked for a PIN where the card is; it is empty for a token that is in none.
func NewCard(b driver.Backend, reader string) *Card {
	return &Card{backend: b, reader: reader, insertion: insertions.Add(1), tokens: make(map[*Token]struct{})}
}

// insertions counts the Cards that were made.
var insertions atomic.Uint64

// Insertion returns a number that no other Card has.
func (c *Card) Insertion() uint64 { return c.insertion }

// SetSlot notes the id of the card's slot, for people who are asked for a PIN.
func (c *Card) SetSlot(id uint64) { c.slot.Store(id) }

// Request returns what a person is told who is asked for a PIN of the token.
func (c *Card) Request(reason token.PINReason, r token.Role, about token.Info) token.PINRequest {
	q := token.PINRequest{Reason: reason, Role: r, Token: about, Reader: c.reader, Slot: c.slot.Load(), Insertion: c.insertion, Tries: about.UserTries}
	if r == token.SO {
		q.Tries = about.SOTries
	}
	return q
}

// Application returns the view of one more application: it has a login,
// sessions and session objects of its own.
func (c *Card) Application() *Token {
	t := newToken(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens[t] = struct{}{}
	return t
}

// Alive is false once the card was removed. It does not reach the card.
func (c *Card) Alive() bool {
	c.mu.Lock()
	removed := c.removed
	c.mu.Unlock()
	return !removed && c.backend.Alive()
}

// Info describes the token. It may reach the card.
func (c *Card) Info(ctx context.Context) (token.Info, error) {
	var info token.Info
	err := c.withTransaction(ctx, "token info", func(ctx context.Context) (err error) {
		info, err = c.readInfo(ctx)
		return err
	})
	return info, err
}

// readInfo asks the Backend, inside a transaction.
func (c *Card) readInfo(ctx context.Context) (token.Info, error) {
	info, err := c.backend.Info(ctx)
	if err != nil {
		return token.Info{}, err
	}
	c.mu.Lock()
	c.info = &info
	c.protected.Store(info.Flags.Has(token.FlagWriteProtected))
	c.mu.Unlock()
	return info, nil
}

// cachedInfo is the description as it was read last; the card is reached only
// if it never was.
func (c *Card) cachedInfo(ctx context.Context) (token.Info, error) {
	if !c.Alive() {
		c.Gone()
		return token.Info{}, ckr.New(ckr.DeviceRemoved, "", apdu.ErrRemoved)
	}
	c.mu.Lock()
	info := c.info
	c.mu.Unlock()
	if info != nil {
		return *info, nil
	}
	return c.Info(ctx)
}

// withTransaction runs f as one transaction, after what happened since the last one was
// taken note of. It does not nest.
func (c *Card) withTransaction(ctx context.Context, op string, f func(ctx context.Context) error) error {
	if !c.Alive() {
		c.Gone()
		return ckr.New(ckr.DeviceRemoved, op, apdu.ErrRemoved)
	}
	err := c.backend.Exclusive(ctx, func(ctx context.Context, tx driver.Tx) error {
		if err := c.detectInterference(ctx, tx); err != nil {
			return err
		}
		err := f(ctx)
		if err != nil {
			err = c.contradicted(err)
			c.refused(ctx, tx, err)
		}
		return err
	})
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(err, apdu.ErrRemoved), errors.Is(err, apdu.ErrClosed):
		c.Gone()
	case errors.Is(err, apdu.ErrReset):
		c.mu.Lock()
		c.dir.stale = true
		c.logoutAll()
		c.mu.Unlock()
	}
	return codes.Wrap(op, err)
}

// detectInterference compares the card with what we left: after a reset everybody is
// logged out, after a visit of another program nothing cached is certain. It
// also sends the logouts that are still owed.
func (c *Card) detectInterference(ctx context.Context, tx driver.Tx) error {
	c.mu.Lock()
	switch resets, epoch, visits := tx.Resets(), tx.Epoch(), tx.Disturbances(); {
	case resets != c.resets:
		c.resets, c.epoch, c.visits = resets, epoch, visits
		c.dir.stale = true
		c.logoutAll()
	case epoch != c.epoch || visits != c.visits:
		c.epoch, c.visits = epoch, visits
		c.dir.stale = true
		c.doubtVerified()
	}
	if tx.Reselected() {
		// Another application of the card had its turn, with which it may have
		// dropped what was verified.
		c.doubtVerified()
	}
	owed := c.owed
	c.mu.Unlock()
	for r, due := range owed {
		if due {
			if err := c.release(ctx, token.Role(r)); err != nil {
				return err
			}
		}
	}
	return nil
}

// doubtVerified notes that the card may have dropped what was verified. The
// caller holds c.mu.
func (c *Card) doubtVerified() {
	c.settled = [2]bool{}
	for r := range c.verified {
		if c.verified[r] == verified {
			c.verified[r] = doubtful
		}
	}
}

// logoutAll ends every login, because the card has forgotten them. The
// caller holds c.mu.
func (c *Card) logoutAll() {
	for t := range c.tokens {
		t.dropLogin(nobody)
	}
	c.forget(token.SO)
	c.forget(token.User)
}

// forget drops the kept PIN of a role that the card does not hold verified
// any more. The caller holds c.mu.
func (c *Card) forget(r token.Role) {
	c.pins[r].Clear()
	c.pins[r] = token.PIN{}
	c.verified[r] = unverified
	c.settled[r] = false
	c.owed[r] = false
}

// keep remembers a PIN that was just verified, to restore the verification
// after our own doing only. The caller holds c.mu.
func (c *Card) keep(r token.Role, p token.PIN) {
	if kept := p.Clone(); !kept.IsZero() {
		c.pins[r].Clear()
		c.pins[r] = kept
	}
	c.forgive(r, p)
	c.verified[r] = verified
	c.owed[r] = false
}

// restoreLogin makes sure that the card holds role r verified, for an application
// that is logged in. It runs inside a transaction. A kept PIN is sent once, and not
// when it might be the last try.
func (c *Card) restoreLogin(ctx context.Context, r token.Role) error {
	c.mu.Lock()
	state := c.verified[r]
	if state == verified {
		c.mu.Unlock()
		return nil
	}
	// A copy: a logout may clear the kept one while this is being sent.
	pin := c.pins[r].Clone()
	c.mu.Unlock()
	defer pin.Clear()
	final := false
	if q, ok := c.backend.(driver.PINStatus); ok && state == doubtful {
		still, tries, err := q.PINStatus(ctx, r)
		if err != nil {
			return err
		}
		if still {
			c.mark(r, verified)
			return nil
		}
		final = tries.Known && tries.Left < 2
	}
	if pin.IsZero() || final || c.wasRefused(r, pin) {
		return c.lost(r, nil)
	}
	err := c.backend.Login(ctx, r, pin)
	c.mu.Lock()
	c.judgePIN(r, pin, err)
	c.mu.Unlock()
	switch {
	case err == nil:
		c.mark(r, verified)
	case isPINError(err):
		return c.lost(r, err)
	}
	return err
}

// spare refuses to send a PIN that nobody has typed for this use, and that the
// card has refused, or of which it has no other try. The card is not asked if
// nobody else has used it since it accepted a PIN. With again, the card took the
// PIN a moment ago, and where it does not tell the tries, there are some. It runs
// inside a transaction. Errors: ckr.PINIncorrect, with ErrLastTry unless the PIN was
// refused before.
func (c *Card) spare(ctx context.Context, r token.Role, p token.PIN, again bool) error {
	if !p.IsRemembered() && !again || p.IsPad() {
		return nil
	}
	if r == token.ContextSpecific {
		r = token.User
	}
	c.mu.Lock()
	wrong, settled := c.refuses(r, p), c.settled[r]
	c.mu.Unlock()
	if settled && !wrong {
		return nil
	}
	var tries ckr.Tries
	still := false // a PIN that is verified has all its tries
	if q, ok := c.backend.(driver.PINStatus); ok {
		var err error
		if still, tries, err = q.PINStatus(ctx, r); err != nil {
			return err
		}
	} else {
		info, err := c.readInfo(ctx)
		if err != nil {
			return err
		}
		tries = info.UserTries
	}
	if wrong {
		return &ckr.Error{Code: ckr.PINIncorrect, Tries: tries, Err: errors.New("the card has refused the remembered PIN; it is not sent again")}
	}
	if still || tries.Known && tries.Left > 1 || again && !tries.Known {
		return nil
	}
	code := ckr.PINIncorrect
	if tries.Known && tries.Left == 0 {
		code = ckr.PINLocked
	}
	return &ckr.Error{Code: code, Tries: tries, Err: token.ErrLastTry}
}

// lost logs every application out of role r: the card does not hold it
// verified and we cannot restore it.
func (c *Card) lost(r token.Role, cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t := range c.tokens {
		t.dropLogin(r)
	}
	c.forget(r)
	if cause == nil {
		cause = errors.New("the card has forgotten the login")
	}
	return ckr.New(ckr.UserNotLoggedIn, "", cause)
}

func (c *Card) mark(r token.Role, s trust) {
	c.mu.Lock()
	c.verified[r] = s
	c.mu.Unlock()
}

// release makes the card forget role r unless an application is logged in.
// It runs inside a transaction.
func (c *Card) release(ctx context.Context, r token.Role) error {
	c.mu.Lock()
	if c.anyLogin(r) {
		c.owed[r] = false
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	if err := c.backend.Logout(ctx, r); err != nil {
		return err
	}
	c.mu.Lock()
	c.forget(r)
	c.mu.Unlock()
	return nil
}

// anyLogin reports whether an application is logged in as r. The caller holds
// c.mu.
func (c *Card) anyLogin(r token.Role) bool {
	for t := range c.tokens {
		if t.loggedIn() == r {
			return true
		}
	}
	return false
}

// owe notes that the card has to forget role r, and clears the kept PIN if
// nobody else is logged in. It reports whether there is anything to send.
func (c *Card) owe(r token.Role) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed || c.anyLogin(r) {
		return false
	}
	c.pins[r].Clear()
	c.pins[r] = token.PIN{}
	if c.verified[r] == unverified {
		return false
	}
	c.owed[r] = true
	return true
}

// Gone ends all sessions: the card was removed. It does not reach the card.
func (c *Card) Gone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.removed {
		return
	}
	c.removed = true
	for t := range c.tokens {
		t.cardGone()
	}
	c.forget(token.SO)
	c.forget(token.User)
	c.forgetRefused()
	c.dir = directory{}
}

// sessions counts the open sessions of all applications. The caller holds
// c.mu.
func (c *Card) sessions() (n int) {
	for t := range c.tokens {
		n += t.countSessions()
	}
	return n
}

// drop forgets an application.
func (c *Card) drop(t *Token) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.tokens, t)
}
