package pcsc

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// connect returns a connection to the card in reader R of a fake service.
func connect(t *testing.T, f *fake) apdu.Transport {
	t.Helper()
	tr, err := newProvider(f).Connect(t.Context(), "R")
	if err != nil {
		t.Fatal(err)
	}
	f.did()
	return tr
}

func matches(t *testing.T, what string, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("%s: got %v, want %v", what, err, w)
		}
	}
}

func TestConnectErrorsSayWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		code winscard.Error
		want error
	}{
		{winscard.UnknownReader, apdu.ErrNoReader},
		{winscard.ReaderUnavailable, apdu.ErrNoReader},
		{winscard.NoSmartCard, apdu.ErrNoCard},
		{winscard.RemovedCard, apdu.ErrNoCard},
		{winscard.SharingViolation, apdu.ErrInUse},
		{winscard.ServiceStopped, apdu.ErrNoService},
		{winscard.UnresponsiveCard, apdu.ErrLink},
		{winscard.SecurityViolation, apdu.ErrLink},
		{0x80109999, apdu.ErrLink},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeService(present("R", 1))
			f.connect = func() error { return test.code }
			start := time.Now()
			_, err := newProvider(f).Connect(t.Context(), "R")
			matches(t, test.code.Error(), err, test.want, test.code)
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
			if f.sessions != 0 {
				t.Errorf("%d sessions are left", f.sessions)
			}
		})
	}
}

func TestACardInUseIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeService(present("R", 1))
		f.connect = sequence(winscard.SharingViolation, winscard.SharingViolation)
		tr := connect(t, f)
		f.begin = sequence(winscard.SharingViolation, winscard.SharingViolation, winscard.SharingViolation)
		begun, err := tr.(apdu.Transactor).Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		begun.End()
		f.begin = func() error { return winscard.SharingViolation }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = tr.(apdu.Transactor).Begin(ctx)
		matches(t, "after a minute", err, context.DeadlineExceeded)
		tr.Close()
	})
}

// What goes wrong with an exchange, and what is done about it.
func TestExchangesThatFail(t *testing.T) {
	for _, test := range []struct {
		name   string
		code   error
		status func() error
		want   error
		calls  []string
		alive  bool
	}{
		{"reset by somebody", winscard.ResetCard, nil, apdu.ErrReset, []string{"transmit", "reconnect"}, true},
		{"removed", winscard.RemovedCard, nil, apdu.ErrRemoved, []string{"transmit"}, false},
		{"reader unplugged", winscard.ReaderUnavailable, nil, apdu.ErrRemoved, []string{"transmit"}, false},
		{"service gone", winscard.ServiceStopped, nil, apdu.ErrRemoved, []string{"transmit"}, false},
		{"glitch", winscard.NotTransacted, nil, apdu.ErrLink, []string{"transmit"}, true},
		{"unknown", winscard.Error(0x801FFFFF), nil, apdu.ErrLink, []string{"transmit"}, true},
		{"pulled, as is seen later", winscard.NotTransacted,
			sequence(nil, nil, nil, winscard.RemovedCard), apdu.ErrRemoved, []string{"transmit"}, false},
		{"lost its power", winscard.CommError,
			sequence(winscard.UnpoweredCard), apdu.ErrReset, []string{"transmit", "reconnect"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFakeService(present("R", 1))
				tr := connect(t, f)
				defer tr.Close()
				f.transmit = func([]byte) ([]byte, error) { return nil, test.code }
				f.status = test.status
				_, err := tr.Transmit(t.Context(), make([]byte, 4))
				matches(t, "transmit", err, test.want)
				if diff := cmp.Diff(test.calls, f.did()); diff != "" {
					t.Error(diff)
				}
				if alive := tr.(apdu.Liveness).Alive(); alive != test.alive {
					t.Errorf("alive is %v", alive)
				}
				f.transmit, f.status = nil, nil
				_, err = tr.Transmit(t.Context(), make([]byte, 4))
				if (err == nil) != test.alive {
					t.Errorf("the next exchange: %v", err)
				}
			})
		})
	}
}

func TestCloseEndsWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeService(present("R", 1))
		tr := connect(t, f)
		if _, err := tr.(apdu.Transactor).Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr.Close()
		tr.Close()
		if diff := cmp.Diff([]string{"begin", "end", "disconnect"}, f.did()); diff != "" {
			t.Error(diff)
		}
		if f.sessions != 0 {
			t.Errorf("%d sessions are left", f.sessions)
		}
		_, err := tr.Transmit(t.Context(), make([]byte, 4))
		matches(t, "after Close", err, apdu.ErrRemoved)
	})
}

func TestAliveFollowsTheReader(t *testing.T) {
	for _, test := range []struct {
		name string
		then []winscard.Reader
		want bool
	}{
		{"the same card", []winscard.Reader{present("R", 7), present("other", 1)}, true},
		{"no card", []winscard.Reader{{Name: "R", Counter: 8}}, false},
		{"another card", []winscard.Reader{present("R", 9)}, false},
		{"no reader", nil, false},
		{"the counter began again", []winscard.Reader{present("R", 0)}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFakeService(present("R", 7))
			tr := connect(t, f)
			defer tr.Close()
			f.set(test.then...)
			synctest.Wait()
			if got := tr.(apdu.Liveness).Alive(); got != test.want {
				t.Errorf("%s: %v", test.name, got)
			}
		})
	}
}

// watch takes down what Watch yields, until ctx is done.
func watch(ctx context.Context, p *Provider, got *[]apdu.Event, failed *error) {
	for e, err := range p.Watch(ctx) {
		if err != nil {
			*failed = err
			return
		}
		e.ATR = nil
		*got = append(*got, e)
	}
}

func TestWatchOutlivesTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeService(present("R", 5), winscard.Reader{Name: "S"})
		p := newProvider(f)
		ctx, cancel := context.WithCancel(t.Context())
		var got []apdu.Event
		var failed error
		go watch(ctx, p, &got, &failed)
		step := func(what string, want ...apdu.Event) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, got); diff != "" || failed != nil {
				t.Errorf("%s: %v\n%s", what, failed, diff)
			}
			got = nil
		}
		step("at first", apdu.Event{Reader: "R", Present: true, Count: 1, Initial: true},
			apdu.Event{Reader: "S", Initial: true, Settled: true})
		f.set(present("R", 65535), winscard.Reader{Name: "S"})
		step("many cards", apdu.Event{Reader: "R", Present: true, Count: 65531})
		f.set(present("R", 1), winscard.Reader{Name: "S"})
		step("the counter turns over", apdu.Event{Reader: "R", Present: true, Count: 65533})
		f.stop()
		step("stopped", apdu.Event{Reader: "R", Gone: true, Count: 65534}, apdu.Event{Reader: "S", Gone: true})
		f.start(present("R", 1), winscard.Reader{Name: "S"})
		time.Sleep(2 * time.Second)
		step("started", apdu.Event{Reader: "R", Present: true, Count: 65534}, apdu.Event{Reader: "S", Count: 1})
		cancel()
		step("cancelled")
		if f.sessions != 0 {
			t.Errorf("%d sessions are left", f.sessions)
		}
	})
}

func TestAServiceThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeService()
		f.err = winscard.NoService
		p := newProvider(f)
		start := time.Now()
		_, err := p.Readers(t.Context())
		matches(t, "readers", err, apdu.ErrNoService)
		for _, err := range p.Watch(t.Context()) {
			matches(t, "watch", err, apdu.ErrNoService)
		}
		if d := time.Since(start); d > 50*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

func TestAServiceThatRestartsIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeService(present("R", 1))
		p := newProvider(f)
		tr, err := p.Connect(t.Context(), "R")
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		f.stop()
		time.AfterFunc(time.Second, func() { f.start(present("R", 0)) })
		if names, err := p.Readers(t.Context()); err != nil || !slices.Equal(names, []string{"R"}) {
			t.Errorf("got %q, %v", names, err)
		}
		if tr.(apdu.Liveness).Alive() {
			t.Error("a connection outlives its service")
		}
		f.stop()
		start := time.Now()
		_, err = p.Readers(t.Context())
		matches(t, "gone for good", err, apdu.ErrNoService)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("it took %v", d)
		}
		start = time.Now()
		_, err = p.Readers(t.Context())
		matches(t, "asked again", err, apdu.ErrNoService)
		if d := time.Since(start); d > 100*time.Millisecond {
			t.Errorf("the second time it took %v", d)
		}
	})
}

// The same reader in the same state has the same count, also when nobody was
// looking in between.
func TestCountsStayWhileNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeService(present("R", 3))
		p := newProvider(f)
		count := func() (n uint64) {
			for e, err := range p.Watch(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				n = e.Count
				break
			}
			return n
		}
		first := count()
		if again := count(); again != first {
			t.Errorf("%d, then %d", first, again)
		}
		f.set(present("R", 5))
		if later := count(); later != first+2 {
			t.Errorf("%d after two changes, from %d", later, first)
		}
	})
}
