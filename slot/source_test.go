package slot_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
	"github.com/go-cryptoki/cryptoki/token/driver"
	"github.com/go-cryptoki/cryptoki/token/pkcs15"
)

// service is a source of one token that is in no reader and speaks no APDUs.
type service struct {
	apdu.Anchor
	changes chan apdu.Event
	now     apdu.Event
}

func newService() *service {
	return &service{changes: make(chan apdu.Event), now: apdu.Event{Reader: "service", Present: true, Count: 1, Initial: true, Settled: true}}
}

func (s *service) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		if !yield(s.now, nil) {
			return
		}
		for {
			select {
			case e := <-s.changes:
				if !yield(e, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *service) Open(context.Context, string) (*slot.Contents, error) {
	return &slot.Contents{
		Tokens: []slot.Recognized{{Driver: "service", Backend: remote{}}},
		Alive:  func() bool { return true }, Close: func() error { return nil },
	}, nil
}

// remote is a token with nothing on it.
type remote struct{}

func (remote) Exclusive(ctx context.Context, f func(context.Context, driver.Tx) error) error {
	return f(ctx, driver.Undisturbed)
}
func (remote) Alive() bool { return true }
func (remote) Info(context.Context) (token.Info, error) {
	return token.Info{Label: "remote", Flags: token.FlagTokenInitialized}, nil
}
func (remote) Objects(context.Context, bool) ([]driver.Record, error) { return nil, nil }
func (remote) Read(context.Context, driver.Ref, ...object.Type) (object.Template, error) {
	return nil, ckr.New(ckr.ObjectHandleInvalid, "", nil)
}
func (remote) Mechanisms(driver.Ref) map[mechanism.Type]mechanism.Info { return nil }
func (remote) Needs(driver.Verb, driver.Ref) driver.Need               { return driver.Need{} }
func (remote) Login(context.Context, token.Role, token.PIN) error {
	return ckr.New(ckr.PINIncorrect, "", nil)
}
func (remote) Logout(context.Context, token.Role) error { return nil }

func TestSlotsOfSeveralSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := virtual.Single(virtual.New()), newService()
		l := slot.New(slot.Readers(p, []driver.Driver{pkcs15.Driver()}), s)
		defer l.Close()
		slots, err := l.Slots(t.Context(), true)
		must(t, err)
		var drivers []string
		seen := make(map[slot.ID]bool)
		for _, s := range slots {
			drivers = append(drivers, s.Info().Driver)
			again, err := l.Slot(t.Context(), s.ID())
			must(t, err)
			if seen[s.ID()] || again.Info().Reader != s.Info().Reader {
				t.Errorf("slot %d is that of two tokens", s.ID())
			}
			seen[s.ID()] = true
		}
		if diff := cmp.Diff([]string{"pkcs15", "service"}, drivers); diff != "" {
			t.Fatal(diff)
		}
		tok, err := slots[1].Token(t.Context())
		must(t, err)
		if info, err := tok.Info(t.Context()); err != nil || info.Label != "remote" {
			t.Errorf("%+v, %v", info, err)
		}

		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		go d.keep(ctx, l)
		synctest.Wait()
		want := []string{"1 Virtual 00 true", "4294967297 service true"}
		if diff := cmp.Diff(want, d.take()); diff != "" {
			t.Error(diff)
		}
		must(t, p.Remove("Virtual 00"))
		synctest.Wait()
		s.changes <- apdu.Event{Reader: "service", Count: 2}
		synctest.Wait()
		want = []string{"1 Virtual 00 false", "4294967297 service false"}
		if diff := cmp.Diff(want, d.take()); diff != "" {
			t.Error(diff)
		}
		if tok.Alive() {
			t.Error("a token that is gone lives")
		}
		cancel()
		synctest.Wait()
	})
}
