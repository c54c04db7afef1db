package faults_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestExhaustive runs each task on each kind of card once for each of its
// exchanges and each kind of fault, and looks whether the promises are kept:
//
//   - nothing panics, and no goroutine is left, in a bubble of its own;
//   - the heap does not grow beyond its bound;
//   - who waits for a card that does not answer is let go in time;
//   - the error is one of those documented;
//   - no PIN and no key is in an error or in the log;
//   - no transaction is open;
//   - no try is lost, no PIN goes to another card, and few are sent at all;
//   - what the session says of its login is what it sees and can do;
//   - the card is whole for another program.
func TestExhaustive(t *testing.T) {
	runs, sum := 0, 0
	for i, f := range families() {
		for j, x := range tasks {
			t.Run(f.name+"/"+x.name, func(t *testing.T) {
				n := f.exchanges(t, x)
				sum += n
				for at := 1; at <= n; at++ {
					for k, kind := range kinds {
						if !*exhaustive && (i+j+k+at)%31 != 0 {
							continue
						}
						runs++
						f.faulted(t, x, at, kind)
					}
					for writes := 1; writes < 100; writes++ {
						if !*exhaustive && (at+writes)%11 != 0 {
							continue
						}
						runs++
						if !f.faulted(t, x, at, tear(writes)) {
							break
						}
					}
					if t.Failed() {
						return
					}
				}
			})
		}
	}
	t.Logf("%d kinds of fault, and tearing, at %d exchanges of %d tasks on %d kinds of card: %d runs", len(kinds), sum, len(tasks), len(families()), runs)
}

// bench is a card, and a program that is logged in to it.
type bench struct {
	*rig
	family
	other *virtual.Card // for swapping
	wrong int           // PINs that it was sent
	log   records
}

// bench prepares a card for a task.
func (f family) bench(t *testing.T, x task) (*bench, *session.Session) {
	t.Helper()
	b := &bench{family: f}
	card := f.fresh(t, x)
	b.rig = strangerOn(t, card, virtual.Single(card), cryptoki.WithLogger(b.log.logger()))
	b.look()
	b.other = f.spare(virtual.Observe(func(command, _ []byte) {
		if carriesPIN(command) {
			b.wrong++
		}
	}))
	s := must(session.Open(b.ctx, b.token, session.ReadWrite(), session.WithPINFunc(f.write)))(t)
	b.ok(s.Login(b.ctx, token.User, pin(userPIN)))
	b.wire.forget()
	return b, s
}

// exchanges counts those of a task that goes well.
func (f family) exchanges(t *testing.T, x task) (n int) {
	synctest.Test(t, func(t *testing.T) {
		b, s := f.bench(t, x)
		b.ok(x.run(b, b.ctx, s))
		n = len(b.wire.sent())
	})
	return n
}

// faulted runs a task with one fault, and tells whether it cut the card off.
func (f family) faulted(t *testing.T, x task, at int, k kind) (cut bool) {
	t.Run(fmt.Sprintf("%d/%s", at, k.name), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, s := f.bench(t, x)
			b.card.SetFaults(virtual.Rules(virtual.Rule{First: at, Every: k.every, Fault: k.fault(b)}))
			ctx, cancel := context.WithTimeout(b.ctx, patience)
			defer cancel()
			start := time.Now()
			var err error
			if bytes := allocated(func() { err = x.run(b, ctx, s) }); bytes > mostHeap {
				t.Errorf("%d bytes were allocated", bytes)
			}
			if took := time.Since(start); took > patience+x.closing+100*time.Millisecond {
				t.Errorf("the caller is let go after %v", took)
			}
			b.card.SetFaults(nil)
			b.answers(err, x)
			if k.cure != nil {
				k.cure(b)
			} else if k.torn {
				cut = b.readers.Insert(reader, b.card) == nil
			}
			synctest.Wait()
			if n := b.wire.open(); n != 0 {
				t.Errorf("%d transactions are open", n)
			}
			b.consistent(s, k)
			b.whole(x, k)
			b.discreet()
		})
	})
	return cut
}

// answers checks the error of a task, and the PINs that were sent.
func (b *bench) answers(err error, x task) {
	b.Helper()
	if err != nil {
		b.code(err, documented...)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if form, found := betrayed(text, b.secrets); found {
				b.Errorf("the error holds a secret, as %q: %v", form, err)
			}
		}
	}
	if n := b.wire.pins(); n > x.pins+1 {
		b.Errorf("%d PINs were sent", n)
	}
	if b.wrong > 0 {
		b.Errorf("%d PINs were sent to another card", b.wrong)
	}
}

// discreet checks that nothing secret was logged.
func (b *bench) discreet() {
	b.Helper()
	log := b.log.String()
	if len(log) < 1000 {
		b.Errorf("nothing was logged: %s", log)
	}
	if form, found := betrayed(log, b.secrets); found {
		b.Errorf("the log holds a secret, as %q", form)
	}
}

// consistent checks that a session sees and can do what it says that it may.
func (b *bench) consistent(s *session.Session, k kind) {
	b.Helper()
	for range 2 {
		said, err := s.Info()
		if err != nil {
			b.code(err, ckr.SessionHandleInvalid, ckr.DeviceRemoved, ckr.TokenNotPresent)
			return
		}
		seen, err := b.sees(s)
		if err != nil {
			b.code(err, documented...)
		}
		now := must(s.Info())(b)
		if said.State == token.RWPublic && (seen > 0 || now.State != token.RWPublic) {
			b.Errorf("not logged in, and %d private objects are seen; the state becomes %v", seen, now.State)
		}
		if now.State == token.RWUser && err == nil && seen == 0 && !k.lies {
			b.Error("logged in, and no private object is seen")
		}
		err = b.signs(b.ctx, s)
		now = must(s.Info())(b)
		switch code := ckr.Of(err); {
		case err == nil && now.State != token.RWUser:
			b.Errorf("the key is used in state %v", now.State)
		case code == ckr.UserNotLoggedIn && now.State != token.RWPublic:
			b.Errorf("in state %v it is said: %v", now.State, err)
		case err != nil && now.State == token.RWUser && !k.lies:
			b.Errorf("logged in, and the key is not used: %v", err)
		}
		if err != nil {
			b.code(err, documented...)
		}
	}
}

// sees counts the private objects that a session finds.
func (b *bench) sees(s *session.Session) (n int, err error) {
	for _, err := range s.Find(b.ctx, object.AttrPrivate.Is(true)) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// whole checks as another program that the card holds what it should.
func (b *bench) whole(x task, k kind) {
	b.Helper()
	other := &bench{rig: b.stranger(), family: b.family}
	if x.name == "initialise" && b.initialises {
		info := must(other.token.Info(b.ctx))(b)
		if !info.Flags.Has(token.FlagTokenInitialized) || !info.Flags.Has(token.FlagUserPINInitialized) {
			b.ok(other.token.Initialize(b.ctx, pin(soPIN), "again"))
			return
		}
	}
	s := must(session.Open(b.ctx, other.token, session.ReadWrite(), session.WithPINFunc(b.write)))(b)
	other.enters(s, x, k)
	for _, match := range []object.Template{b.public, b.private, b.signer} {
		if _, err := first(b.ctx, s, match); err != nil {
			b.Errorf("%v is not found: %v", match, err)
		}
	}
	for _, label := range other.labels(s) {
		if strings.Contains(label, "damaged") && !k.torn {
			b.Errorf("%s is on the card", label)
		}
	}
	b.ok(other.signs(b.ctx, s))
}

// enters logs in, and checks the tries.
func (b *bench) enters(s *session.Session, x task, k kind) {
	b.Helper()
	if x.name == "change the PIN" {
		err := s.Login(b.ctx, token.User, pin(userPIN))
		if ckr.Of(err) == ckr.PINIncorrect {
			err = s.Login(b.ctx, token.User, pin(newPIN))
		}
		b.ok(err)
		return
	}
	err := s.Login(b.ctx, token.User, pin(wrongPIN))
	var e *ckr.Error
	if !errors.As(err, &e) || !e.Tries.Known || e.Tries.Left != b.tries-1 && !(k.torn && e.Tries.Left == b.tries-2) {
		b.Errorf("a try is lost: %v", err)
	}
	b.ok(s.Login(b.ctx, token.User, pin(userPIN)))
}
