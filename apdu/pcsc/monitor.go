package pcsc

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// monitor follows the state of all readers while somebody uses it: watchers,
// and transports that want to know whether their cards are still there. One
// goroutine with a session of its own waits for the service to tell of changes.
type monitor struct {
	service service

	mu      sync.Mutex
	users   int
	run     int                // which run of the goroutine is the present one
	stop    context.CancelFunc // ends it
	ended   chan struct{}      // closed when it has
	session session            // of the goroutine, to interrupt its waiting
	poke    chan struct{}      // ends its pause before the next attempt
	wanted  uint64             // looks that were asked for
	view    view
	tallies map[string]*tally
	lost    time.Time // when the service was lost, after it had been there
}

// view is what was seen at one look.
type view struct {
	readers []apdu.Event
	sharing map[string]int // connections to the card in a reader, where that is known
	err     error          // why there are none
	look    uint64         // looks asked for before this one
	changed chan struct{}  // closed at the next view
}

// tally counts the insertions and removals in one reader, for as long as the
// Provider lives, over restarts of the service.
type tally struct {
	count   uint64
	raw     uint16
	present bool
	gone    bool
}

// Times between attempts to reach a service that is not there. A service that
// was there a moment ago is given reviveTime to come back before callers are
// told that it is gone: that is what a restart takes.
const (
	retryFirst = 20 * time.Millisecond
	retryLast  = time.Second
	reviveTime = 1500 * time.Millisecond
)

func (m *monitor) init(s service) {
	m.service = s
	m.tallies = make(map[string]*tally)
	m.view.changed = make(chan struct{})
	m.poke = make(chan struct{}, 1)
}

// acquire has the readers followed until release.
func (m *monitor) acquire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.users++
	if m.users > 1 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.run++
	m.stop, m.ended = cancel, make(chan struct{})
	m.view.look = 0 // what was seen by the last run is old
	m.wanted = 0
	go m.follow(ctx, m.run, m.ended)
}

// release waits for the end of the goroutine with the last user.
func (m *monitor) release() {
	m.mu.Lock()
	m.users--
	if m.users > 0 {
		m.mu.Unlock()
		return
	}
	m.run++
	m.stop()
	ended := m.ended
	m.mu.Unlock()
	select {
	case <-ended:
	case <-time.After(time.Second): // the service hangs
	}
}

// current is the last view.
func (m *monitor) current() view {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view
}

// refresh looks again and returns what is seen.
func (m *monitor) refresh(ctx context.Context) (view, error) {
	m.mu.Lock()
	m.wanted++
	look := m.wanted
	s := m.session
	m.mu.Unlock()
	if s != nil {
		s.Interrupt()
	}
	m.hurry()
	for {
		v, lost := m.state()
		if v.look >= look && v.err == nil {
			return v, nil
		}
		patience := reviveTime - time.Since(lost)
		if v.look >= look && (patience <= 0 || !errors.Is(v.err, apdu.ErrNoService)) {
			return v, v.err
		}
		if err := wait(ctx, v.changed, patience, v.look >= look); err != nil {
			return v, err
		}
	}
}

func (m *monitor) state() (view, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view, m.lost
}

// wait returns at the next view, and if bounded after some time.
func wait(ctx context.Context, changed <-chan struct{}, most time.Duration, bounded bool) error {
	var timeout <-chan time.Time
	if bounded {
		t := time.NewTimer(most)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-changed:
	case <-timeout:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// hurry ends a pause between attempts.
func (m *monitor) hurry() {
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// follow is the goroutine.
func (m *monitor) follow(ctx context.Context, run int, ended chan<- struct{}) {
	defer close(ended)
	pause := retryFirst
	for ctx.Err() == nil {
		look := m.asked()
		s, err := m.service.dial(ctx)
		if err == nil {
			pause = retryFirst
			err = m.attend(ctx, run, s)
			look = m.asked()
		}
		if ctx.Err() != nil {
			return
		}
		m.publish(run, nil, mapConnect(err), look)
		m.rest(ctx, pause)
		pause = min(2*pause, retryLast)
	}
}

// rest waits before the next attempt.
func (m *monitor) rest(ctx context.Context, pause time.Duration) {
	// Callers that ask in the meantime do not have the service asked more
	// often than the first pause allows.
	first := time.NewTimer(retryFirst)
	defer first.Stop()
	select {
	case <-first.C:
	case <-ctx.Done():
		return
	}
	if pause -= retryFirst; pause <= 0 {
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.poke:
	case <-ctx.Done():
	}
}

// attend follows one session until it breaks.
func (m *monitor) attend(ctx context.Context, run int, s session) error {
	defer s.Close()
	stop := context.AfterFunc(ctx, s.Abort)
	defer stop()
	m.mine(s)
	defer m.mine(nil)
	for {
		look := m.asked()
		readers, err := s.Watch()
		if err != nil {
			return err
		}
		m.publish(run, readers, nil, look)
		if m.asked() > look {
			s.Interrupt()
		}
		if err := s.Wait(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (m *monitor) mine(s session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session = s
}

func (m *monitor) asked() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wanted
}

// publish makes a view of what was seen. A run that was ended is not heard any
// more.
func (m *monitor) publish(run int, readers []winscard.Reader, err error, look uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if run != m.run {
		return
	}
	if err != nil && m.view.err == nil && len(m.tallies) > 0 {
		m.lost = time.Now()
	}
	next := view{err: err, look: look, changed: make(chan struct{}), sharing: make(map[string]int, len(readers))}
	seen := make(map[string]bool, len(readers))
	for _, r := range readers {
		if seen[r.Name] {
			continue
		}
		seen[r.Name] = true
		next.sharing[r.Name] = r.Sharing
		next.readers = append(next.readers, apdu.Event{
			Reader: r.Name, Present: r.Present, ATR: slices.Clone(r.ATR), Count: m.count(r),
		})
	}
	for name, t := range m.tallies {
		t.gone = t.gone || !seen[name]
	}
	close(m.view.changed)
	m.view = next
}

// count brings the tally of a reader up to date. A reader that was gone may
// have had any number of cards in it.
func (m *monitor) count(r winscard.Reader) uint64 {
	t := m.tallies[r.Name]
	if t == nil {
		t = &tally{raw: r.Counter}
		m.tallies[r.Name] = t
		if r.Present {
			t.count = 1
		}
	} else if n := r.Counter - t.raw; n != 0 && !t.gone {
		t.count += uint64(n)
	} else if t.gone || t.present != r.Present {
		t.count++
	}
	t.raw, t.present, t.gone = r.Counter, r.Present, false
	return t.count
}

// at is the state of one reader.
func (v view) at(reader string) (apdu.Event, bool) {
	for _, e := range v.readers {
		if e.Reader == reader {
			return e, true
		}
	}
	return apdu.Event{}, false
}
