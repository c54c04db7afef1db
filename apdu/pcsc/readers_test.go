//go:build linux

package pcsc

import (
	"bytes"
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// TestReaders holds every client that is built in to the same rules, on a real
// pcscd with two virtual readers.
func TestReaders(t *testing.T) {
	d := pcscdtest.Start(t)
	for name, s := range services(d) {
		t.Run(name, func(t *testing.T) {
			for _, rule := range rules {
				t.Run(rule.name, func(t *testing.T) {
					emptied(t, s)
					nothingLeft(t)
					rule.holds(rig{t, d, newProvider(s)})
				})
			}
		})
	}
}

var rules = []struct {
	name  string
	holds func(rig)
}{
	{"watch tells of cards", watchTellsOfCards},
	{"connect says why not", connectSaysWhyNot},
	{"commands and answers of every length", everyLength},
	{"transactions exclude each other", transactionsExclude},
	{"a reset is told once", resetIsToldOnce},
	{"a card that went is noticed", removalIsNoticed},
	{"a card that was swapped is noticed", swapIsNoticed},
	{"a card is pulled in the middle of an exchange", pulledInTheMiddle},
	{"a card that hangs", cardThatHangs},
	{"the service is killed", serviceIsKilled},
	{"the service hangs", serviceThatHangs},
}

// rig is what a rule works with.
type rig struct {
	*testing.T
	d *pcscdtest.Daemon
	p *Provider
}

const (
	left  = 0
	right = 1
)

func (r rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// is checks an error against what it must match.
func (r rig) is(err error, want ...error) {
	r.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			r.Errorf("got %v, want %v", err, w)
		}
	}
}

func (r rig) connect(reader int) apdu.Transport {
	r.Helper()
	t := connected(r, r.p, pcscdtest.Readers[reader])
	r.Cleanup(func() { t.Close() })
	return t
}

// plug puts a card into a reader until the rule has been looked at.
func (r rig) plug(reader int, opts ...virtual.Option) (unplug func()) {
	return r.d.Plug(r, reader, virtual.New(opts...))
}

func (r rig) begin(t apdu.Transport) (apdu.Transaction, error) {
	return t.(apdu.Transactor).Begin(r.Context())
}

// gone waits until a transport knows that its card went.
func (r rig) gone(t apdu.Transport) {
	r.Helper()
	pcscdtest.Eventually(r, "the card to be gone", func() bool { return !t.(apdu.Liveness).Alive() })
}

// serial asks for the card's number, which is right after its answer to GET
// DATA.
var serial = []byte{0x00, 0xCA, 0x01, 0xA0, 0x14}

// emptied waits until both readers are empty.
func emptied(t *testing.T, s service) {
	t.Helper()
	p := newProvider(s)
	pcscdtest.Eventually(t, "empty readers", func() bool {
		n := 0
		for e, err := range p.Watch(t.Context()) {
			if err != nil || e.Present {
				return false
			}
			if n++; e.Settled {
				break
			}
		}
		return n == len(pcscdtest.Readers)
	})
}

// open counts the open descriptors.
func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// nothingLeft checks that what begins after it leaves neither descriptors nor
// goroutines.
func nothingLeft(t *testing.T) {
	before, running := open(t), goleak.IgnoreCurrent()
	t.Cleanup(func() {
		pcscdtest.Eventually(t, "descriptors to be closed", func() bool { return open(t) <= before })
		if err := goleak.Find(running); err != nil {
			t.Error(err)
		}
	})
}

func watchTellsOfCards(r rig) {
	type line struct {
		Reader  int
		Present bool
		Count   uint64
	}
	var got []line
	unplug := func() {}
	for e, err := range r.p.Watch(r.Context()) {
		r.must(err)
		l := line{0, e.Present, e.Count}
		if e.Reader == pcscdtest.Readers[right] {
			l.Reader = right
		}
		got = append(got, l)
		if e.Present && !bytes.Equal(e.ATR, virtual.MyEID500().ATR) {
			r.Errorf("the ATR is %X", e.ATR)
		}
		switch len(got) {
		case 2:
			if !e.Initial || !e.Settled {
				r.Errorf("the last of the first events is %+v", e)
			}
			unplug = r.plug(right)
		case 3:
			unplug()
		case 4:
			unplug = r.plug(right)
		}
		if len(got) == 5 {
			break
		}
	}
	n := got[1].Count
	want := []line{
		{left, false, got[0].Count}, {right, false, n},
		{right, true, n + 1}, {right, false, n + 2}, {right, true, n + 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Error(diff)
	}
	unplug()
}

func connectSaysWhyNot(r rig) {
	_, err := r.p.Connect(r.Context(), "No such reader")
	r.is(err, apdu.ErrNoReader)
	_, err = r.p.Connect(r.Context(), pcscdtest.Readers[left])
	r.is(err, apdu.ErrNoCard)
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	_, err = r.p.Connect(ctx, pcscdtest.Readers[left])
	r.is(err, context.Canceled)
	for _, err := range r.p.Watch(ctx) {
		r.Errorf("a watcher that was cancelled is told %v", err)
	}
}

func everyLength(r rig) {
	var last atomic.Pointer[[]byte]
	answer := make([]byte, 256)
	unplug := r.plug(left, virtual.Faults(func(_ int, command []byte) virtual.Fault {
		got := bytes.Clone(command)
		last.Store(&got)
		n := int(command[2])<<8 | int(command[3])
		return virtual.Fault{Kind: virtual.Refuse, Answer: append(answer[:n:n], 0x90, 0x00)}
	}))
	defer unplug()
	t := r.connect(left)
	for _, n := range []int{0, 1, 127, 128, 254, 255, 256} {
		command := []byte{0x00, 0xB0, byte(n >> 8), byte(n)}
		switch {
		case n == 256:
			command = append(command, 0)
		case n > 0:
			command = append(append(command, byte(n)), bytes.Repeat([]byte{0x5A}, n)...)
		}
		got, err := t.Transmit(r.Context(), command)
		r.must(err)
		if len(got) != n+2 || !bytes.Equal(*last.Load(), command) {
			r.Errorf("%d bytes: %d bytes came back, %d arrived", n, len(got), len(*last.Load()))
		}
	}
	if info := t.Info(); info.Reader != pcscdtest.Readers[left] || info.Protocol != apdu.T1 || info.MaxCommand != 0 {
		r.Errorf("info: %+v", info)
	}
	_, err := t.Transmit(r.Context(), []byte{0})
	r.is(err, apdu.ErrLink)
}

func transactionsExclude(r rig) {
	defer r.plug(left)()
	one, other := r.connect(left), r.connect(left)
	mine, err := r.begin(one)
	r.must(err)
	ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
	defer cancel()
	if _, is := r.p.service.(daemon); is {
		// The library cannot be told to give up; a Conn leaves it behind.
		_, err = other.(apdu.Transactor).Begin(ctx)
		r.is(err, context.DeadlineExceeded)
		_, err = other.Transmit(ctx, serial)
		r.is(err, context.DeadlineExceeded)
	}
	began := make(chan apdu.Transaction)
	go func() {
		theirs, err := r.begin(other)
		if err != nil {
			r.Error(err)
		}
		began <- theirs
	}()
	_, err = one.Transmit(r.Context(), serial)
	r.must(err)
	select {
	case <-began:
		r.Error("two transactions at once")
	default:
	}
	r.must(mine.End())
	theirs := <-began
	if theirs.Undisturbed {
		r.Error("nobody knows that nobody was there")
	}
	r.must(theirs.End())
}

// reset has a program of its own reset the card.
func (r rig) reset(t apdu.Transport) {
	r.Helper()
	r.must(t.(*transport).card.Reconnect(winscard.ResetIt))
}

func resetIsToldOnce(r rig) {
	defer r.plug(left)()
	one, other := r.connect(left), r.connect(left)
	r.reset(other)
	_, err := r.begin(one)
	r.is(err, apdu.ErrReset)
	begun, err := r.begin(one)
	r.must(err)
	_, err = one.Transmit(r.Context(), serial)
	r.must(err)
	r.must(begun.End())
	r.reset(other)
	_, err = one.Transmit(r.Context(), serial)
	r.is(err, apdu.ErrReset)
	_, err = one.Transmit(r.Context(), serial)
	r.must(err)
	if !one.(apdu.Liveness).Alive() {
		r.Error("a card that was reset is held to be gone")
	}
}

func removalIsNoticed(r rig) {
	unplug := r.plug(left)
	t := r.connect(left)
	begun, err := r.begin(t)
	r.must(err)
	unplug()
	r.gone(t)
	_, err = t.Transmit(r.Context(), serial)
	r.is(err, apdu.ErrRemoved)
	r.is(begun.End(), apdu.ErrRemoved)
	_, err = r.begin(t)
	r.is(err, apdu.ErrRemoved)
}

// A card that is taken out and put back in, or another, ends the connection,
// also if somebody resets the new card before we look.
func swapIsNoticed(r rig) {
	unplug := r.plug(left)
	quiet, meddled := r.connect(left), r.connect(left)
	unplug()
	r.gone(quiet)
	defer r.plug(left)()
	fresh := r.connect(left)
	r.reset(fresh)
	_, err := r.begin(meddled)
	r.is(err, apdu.ErrRemoved)
	_, err = quiet.Transmit(r.Context(), serial)
	r.is(err, apdu.ErrRemoved)
	_, err = fresh.Transmit(r.Context(), serial)
	if err != nil && !errors.Is(err, apdu.ErrReset) {
		r.Error(err)
	}
}

func pulledInTheMiddle(r rig) {
	pull := make(chan struct{})
	var cut atomic.Bool
	unplug := r.plug(left, virtual.Faults(func(int, []byte) virtual.Fault {
		if cut.Load() {
			close(pull)
			return virtual.Fault{Kind: virtual.CutAfter}
		}
		return virtual.Fault{}
	}))
	t := r.connect(left)
	_, err := t.Transmit(r.Context(), serial)
	r.must(err)
	cut.Store(true)
	go func() {
		<-pull
		unplug()
	}()
	_, err = t.Transmit(r.Context(), serial)
	r.is(err, apdu.ErrRemoved)
	if t.(apdu.Liveness).Alive() {
		r.Error("it lives")
	}
}

// A caller of a card that hangs is free at once; the other reader does not
// notice.
func cardThatHangs(r rig) {
	release := make(chan struct{})
	var hang atomic.Bool
	unplug := r.plug(left, virtual.Faults(func(int, []byte) virtual.Fault {
		if hang.Load() {
			<-release
		}
		return virtual.Fault{}
	}))
	defer unplug()
	defer r.plug(right)()
	stuck := apdu.NewConn(r.connect(left))
	free := apdu.NewConn(r.connect(right))
	ask := func(ctx context.Context, c *apdu.Conn) error {
		return c.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
			_, err := tx.Do(ctx, apdu.Command{INS: 0xCA, P1: 0x01, P2: 0xA0, Le: 20})
			return err
		})
	}
	r.must(ask(r.Context(), stuck))
	hang.Store(true)
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	r.is(ask(ctx, stuck), context.DeadlineExceeded, apdu.ErrOutcomeUnknown)
	if d := time.Since(start); d > 120*time.Millisecond {
		r.Errorf("the caller was kept %v", d)
	}
	start = time.Now()
	r.must(ask(r.Context(), free))
	if names, err := r.p.Readers(r.Context()); err != nil || len(names) != 2 {
		r.Errorf("readers: %q, %v", names, err)
	}
	if d := time.Since(start); d > 200*time.Millisecond {
		r.Errorf("the other reader took %v", d)
	}
	start = time.Now()
	if stuck.Close() == nil {
		r.Error("Close of a card that hangs says nothing")
	}
	if d := time.Since(start); d > 1100*time.Millisecond {
		r.Errorf("Close took %v", d)
	}
	hang.Store(false)
	close(release)
	r.must(free.Close())
	pcscdtest.Eventually(r, "the card that hung to be closed", func() bool { return stuck.Close() == nil })
}

func serviceIsKilled(r rig) {
	defer r.plug(left)()
	t := r.connect(left)
	r.d.Kill(r)
	_, err := t.Transmit(r.Context(), serial)
	r.is(err, apdu.ErrRemoved)
	r.gone(t)
	r.must(t.Close())
	_, err = r.p.Readers(r.Context())
	r.is(err, apdu.ErrNoService)
	r.d.Run(r)
	names, err := r.p.Readers(r.Context())
	if err != nil || len(names) != 2 {
		r.Errorf("readers: %q, %v", names, err)
	}
	again := r.connect(left)
	_, err = again.Transmit(r.Context(), serial)
	r.must(err)
}

func serviceThatHangs(r rig) {
	if _, is := r.p.service.(daemon); !is {
		return // calls of the library cannot be cut short
	}
	defer r.plug(left)()
	t := r.connect(left)
	r.d.Stop(r)
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := r.p.Readers(ctx)
	r.is(err, context.DeadlineExceeded)
	_, err = r.p.Connect(ctx, pcscdtest.Readers[left])
	r.is(err, context.DeadlineExceeded)
	if d := time.Since(start); d > 200*time.Millisecond {
		r.Errorf("callers were kept %v", d)
	}
	r.must(t.Close())
	if d := time.Since(start); d > 1500*time.Millisecond {
		r.Errorf("Close took %v", d)
	}
	r.d.Continue(r)
}
