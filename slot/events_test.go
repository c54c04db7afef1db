package slot_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/pkcs15"
)

func newList(t *testing.T, p apdu.Provider) *slot.List {
	t.Helper()
	l := slot.NewList(p, []driver.Driver{pkcs15.Driver()})
	t.Cleanup(func() { l.Close() })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// diary takes down what Events yields.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) take() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

func (d *diary) keep(ctx context.Context, l *slot.List) {
	for e, err := range l.Events(ctx) {
		d.mu.Lock()
		switch {
		case err != nil:
			d.lines = append(d.lines, ckr.Of(err).Name())
		case e.Gone:
			d.lines = append(d.lines, fmt.Sprintf("%d gone", e.Slot))
		default:
			d.lines = append(d.lines, fmt.Sprintf("%d %s %v", e.Slot, e.Reader, e.Present))
		}
		d.mu.Unlock()
	}
}

func TestEventsTellOfReadersAndCardsUnderStableIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.NewProvider(virtual.Reader{Name: "A", Card: virtual.New()}, virtual.Reader{Name: "B"})
		l := newList(t, p)
		var d diary
		go d.keep(t.Context(), l)
		steps := []struct {
			do   func() error
			want []string
		}{
			{nil, []string{"1 A true", "2 B false"}},
			{func() error { return p.Insert("B", virtual.New()) }, []string{"2 B true"}},
			{func() error { return p.Remove("A") }, []string{"1 A false"}},
			{func() error { return p.RemoveReader("B") }, []string{"2 gone"}},
			{func() error { return p.AddReader("C") }, []string{"3 C false"}},
			{func() error { return p.AddReader("B") }, []string{"2 B false"}},
			{l.Close, []string{"CKR_CRYPTOKI_NOT_INITIALIZED"}},
		}
		for i, s := range steps {
			if s.do != nil {
				must(t, s.do())
			}
			synctest.Wait()
			if diff := cmp.Diff(s.want, d.take()); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

func TestEventsEndTheSessionsOfACardThatWent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		card := virtual.New()
		p := virtual.Single(card)
		l := newList(t, p)
		slots, err := l.Slots(t.Context(), true)
		must(t, err)
		tok, err := slots[0].Token(t.Context())
		must(t, err)
		must(t, tok.Initialize(t.Context(), token.NewPIN([]byte("87654321")), "events"))
		s, err := session.Open(t.Context(), tok)
		must(t, err)
		for e, err := range l.Events(t.Context()) {
			must(t, err)
			if e.Initial {
				must(t, p.Remove("Virtual 00"))
				must(t, p.Insert("Virtual 00", card))
				continue
			}
			break
		}
		if _, err := s.Info(); ckr.Of(err) != ckr.SessionHandleInvalid && ckr.Of(err) != ckr.DeviceRemoved {
			t.Errorf("the session lives: %v", err)
		}
		slots, err = l.Slots(t.Context(), true)
		must(t, err)
		again, err := slots[0].Token(t.Context())
		must(t, err)
		if again == tok {
			t.Error("a card that was put back has the old token")
		}
	})
}

func TestSlotEventIsToldOnceASlot(t *testing.T) {
	p := virtual.NewProvider(virtual.Reader{Name: "A", Card: virtual.New()}, virtual.Reader{Name: "B"})
	l := newList(t, p)
	ask := func() string {
		id, err := l.SlotEvent(t.Context())
		if err != nil {
			return ckr.Of(err).Name()
		}
		return fmt.Sprint(id)
	}
	for _, s := range []struct {
		do   func() error
		want []string
	}{
		{nil, []string{"CKR_NO_EVENT"}},
		{func() error {
			return errors.Join(p.Remove("A"), p.Insert("A", virtual.New()), p.Insert("B", virtual.New()))
		}, []string{"1", "2", "CKR_NO_EVENT"}},
		{func() error { return p.RemoveReader("A") }, []string{"1", "CKR_NO_EVENT"}},
		{func() error { return p.AddReader("A") }, []string{"1", "CKR_NO_EVENT"}},
	} {
		if s.do != nil {
			must(t, s.do())
		}
		for _, want := range s.want {
			if got := ask(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

func TestWaitForSlotEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := virtual.NewProvider(virtual.Reader{Name: "A"})
		l := newList(t, p)
		_, err := l.Slots(t.Context(), false)
		must(t, err)
		time.AfterFunc(time.Hour, func() { p.Insert("A", virtual.New()) })
		id, err := l.WaitForSlotEvent(t.Context())
		if id != 1 || err != nil {
			t.Errorf("got %d, %v", id, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := l.WaitForSlotEvent(ctx); ckr.Of(err) != ckr.FunctionCanceled {
			t.Errorf("after an hour: %v", err)
		}
		time.AfterFunc(time.Hour, func() { l.Close() })
		if _, err := l.WaitForSlotEvent(t.Context()); ckr.Of(err) != ckr.CryptokiNotInitialized {
			t.Errorf("after Close: %v", err)
		}
	})
}

// One application that is told of an event does not take it from another.
func TestSlotEventsAreEachApplicationsOwn(t *testing.T) {
	p := virtual.NewProvider(virtual.Reader{Name: "A"})
	first := newList(t, p)
	second := first.Application()
	defer second.Close()
	for _, l := range []*slot.List{first, second} {
		_, err := l.Slots(t.Context(), false)
		must(t, err)
	}
	must(t, p.Insert("A", virtual.New()))
	for _, l := range []*slot.List{first, second} {
		if id, err := l.SlotEvent(t.Context()); id != 1 || err != nil {
			t.Errorf("got %d, %v", id, err)
		}
	}
}
