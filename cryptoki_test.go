package cryptoki_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// opened is a module on a new card with a token, and a session in which the
// user is logged in.
func opened(t *testing.T) (*cryptoki.Module, *virtual.Provider, *session.Session) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	readers := virtual.Single(newCard(t, "token", func(*session.Session) {}))
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers))
	check(err)
	t.Cleanup(func() { m.Close() })
	slots, err := m.Slots(ctx, true)
	check(err)
	s, err := m.OpenSession(ctx, slots[0].ID(), session.ReadWrite())
	check(err)
	check(s.Login(ctx, token.User, token.NewPIN([]byte(testPIN))))
	return m, readers, s
}

func hasCode(t *testing.T, err error, codes ...ckr.Code) {
	t.Helper()
	var e *ckr.Error
	if !errors.As(err, &e) || !slices.Contains(codes, e.Code) {
		t.Errorf("got %v, want one of %v", err, codes)
	}
}

// TestOpenWithEndedContext opens nothing.
func TestOpenWithEndedContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := cryptoki.Open(ended, cryptoki.WithProvider(virtual.NewProvider()))
	hasCode(t, err, ckr.FunctionCanceled)
	if m != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", m, err)
	}
	m, err = cryptoki.Open(t.Context(), cryptoki.WithProvider(virtual.NewProvider()))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, err = m.Application(ended)
	hasCode(t, err, ckr.FunctionCanceled)
}

// TestCloseEndsOneApplication ends one of two applications: nothing of it can
// be used any more, and the other one goes on.
func TestCloseEndsOneApplication(t *testing.T) {
	ctx := t.Context()
	m, _, s := opened(t)
	other, err := m.Application(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	slots, err := other.Slots(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	id := slots[0].ID()
	mine, err := other.OpenSession(ctx, id, session.ReadWrite())
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.Login(ctx, token.User, token.NewPIN([]byte(testPIN))); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	hasCode(t, m.Close(), ckr.CryptokiNotInitialized)
	_, err = m.Slots(ctx, false)
	hasCode(t, err, ckr.CryptokiNotInitialized)
	_, err = m.OpenSession(ctx, id)
	hasCode(t, err, ckr.CryptokiNotInitialized)
	_, err = s.Info()
	hasCode(t, err, ckr.CryptokiNotInitialized)
	_, err = session.Open(ctx, s.Token())
	hasCode(t, err, ckr.CryptokiNotInitialized)
	hasCode(t, s.Login(ctx, token.User, token.NewPIN([]byte(testPIN))), ckr.CryptokiNotInitialized)

	_, err = mine.Create(ctx, object.AttrClass.Is(object.ClassData), object.AttrToken.Is(true), object.AttrPrivate.Is(true))
	if err != nil {
		t.Error(err)
	}
}

// TestCloseWhileOthersCall ends an application in which many goroutines are at
// work.
func TestCloseWhileOthersCall(t *testing.T) {
	ctx := t.Context()
	m, _, s := opened(t)
	var all sync.WaitGroup
	begun := make(chan struct{}, 100)
	for range 8 {
		all.Go(func() {
			for {
				_, err := s.Create(ctx, object.AttrClass.Is(object.ClassData), object.AttrPrivate.Is(true), object.AttrToken.Is(false))
				if err == nil {
					_, err = s.Random(ctx, 8)
				}
				select {
				case begun <- struct{}{}:
				default:
				}
				if err != nil {
					hasCode(t, err, ckr.CryptokiNotInitialized, ckr.SessionHandleInvalid, ckr.UserNotLoggedIn, ckr.DeviceRemoved)
					return
				}
			}
		})
	}
	for range 50 {
		<-begun
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
}

// TestCloseDoesNotWaitForACardThatHangs ends an application while another
// program holds the card.
func TestCloseDoesNotWaitForACardThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, readers, s := opened(t)
		c, err := readers.Connect(t.Context(), "Virtual 00")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		held, err := c.(apdu.Transactor).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go s.Random(context.Background(), 8)
		synctest.Wait()
		m.Close()
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("Close has waited %v", waited)
		}
		_, err = s.Info()
		hasCode(t, err, ckr.CryptokiNotInitialized, ckr.SessionHandleInvalid)
		held.End()
	})
}
