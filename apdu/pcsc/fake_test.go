package pcsc

import (
	"context"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// fake is a service whose every answer a test decides.
type fake struct {
	mu       sync.Mutex
	err      error // of dial
	readers  []winscard.Reader
	changed  chan struct{} // closed at the next change
	broken   chan struct{} // closed when the service goes away
	sessions int           // open ones
	dials    int

	connect  func() error
	begin    func() error
	status   func() error
	transmit func(command []byte) ([]byte, error)
	control  func(code uint32, in []byte) ([]byte, error)
	calls    []string
	protocol uint32
}

func newFakeService(readers ...winscard.Reader) *fake {
	return &fake{readers: readers, changed: make(chan struct{}), broken: make(chan struct{}), protocol: winscard.ProtocolT1}
}

func present(name string, counter uint16) winscard.Reader {
	return winscard.Reader{Name: name, Present: true, Counter: counter, ATR: []byte{0x3B, 0x00}}
}

// set replaces the readers and tells of it.
func (f *fake) set(readers ...winscard.Reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers = readers
	close(f.changed)
	f.changed = make(chan struct{})
}

// stop has the service go away; start has it come again.
func (f *fake) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = winscard.NoService
	close(f.broken)
}

func (f *fake) start(readers ...winscard.Reader) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.readers, f.broken = nil, readers, make(chan struct{})
}

// did takes what was called since it was asked last.
func (f *fake) did() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fake) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

func (f *fake) dial(ctx context.Context) (session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	if f.err != nil {
		return nil, f.err
	}
	f.sessions++
	return &fakeSession{f: f, interrupt: make(chan struct{}, 1), aborted: make(chan struct{}), broken: f.broken}, nil
}

func (f *fake) ctlCode(code uint32) uint32 { return code }

type fakeSession struct {
	f         *fake
	interrupt chan struct{}
	aborted   chan struct{}
	abort     sync.Once
	broken    chan struct{}
	changed   chan struct{}
	closed    sync.Once
}

func (s *fakeSession) Watch() ([]winscard.Reader, error) {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	select {
	case <-s.broken:
		return nil, winscard.ServiceStopped
	default:
	}
	s.changed = s.f.changed
	return slices.Clone(s.f.readers), nil
}

func (s *fakeSession) Wait() error {
	select {
	case <-s.changed:
	case <-s.interrupt:
	case <-s.aborted:
		return winscard.Cancelled
	case <-s.broken:
		return winscard.ServiceStopped
	}
	return nil
}

func (s *fakeSession) Interrupt() {
	select {
	case s.interrupt <- struct{}{}:
	default:
	}
}

func (s *fakeSession) Abort() { s.abort.Do(func() { close(s.aborted) }) }

func (s *fakeSession) Close() error {
	s.closed.Do(func() {
		s.f.mu.Lock()
		defer s.f.mu.Unlock()
		s.f.sessions--
	})
	return nil
}

func (s *fakeSession) Connect(string) (card, error) {
	if s.f.connect != nil {
		if err := s.f.connect(); err != nil {
			return nil, err
		}
	}
	return fakeCard{s.f}, nil
}

type fakeCard struct{ f *fake }

func (c fakeCard) Protocol() uint32 { return c.f.protocol }

func (c fakeCard) Reconnect(initialization uint32) error {
	c.f.note([]string{"reconnect", "reset", "unpower"}[initialization])
	return nil
}

func (c fakeCard) Disconnect(uint32) error {
	c.f.note("disconnect")
	return nil
}

func (c fakeCard) Begin() error {
	c.f.note("begin")
	if c.f.begin != nil {
		return c.f.begin()
	}
	return nil
}

func (c fakeCard) End(uint32) error {
	c.f.note("end")
	return nil
}

func (c fakeCard) Status() error {
	if c.f.status != nil {
		return c.f.status()
	}
	return nil
}

func (c fakeCard) Transmit(command []byte) ([]byte, error) {
	c.f.note("transmit")
	if c.f.transmit != nil {
		return c.f.transmit(command)
	}
	return []byte{0x90, 0x00}, nil
}

func (c fakeCard) Control(code uint32, in []byte) ([]byte, error) {
	if c.f.control != nil {
		return c.f.control(code, in)
	}
	return nil, winscard.UnsupportedFeature
}

// sequence answers one error after the other, and nil from then on.
func sequence(errs ...error) func() error {
	var mu sync.Mutex
	return func() error {
		mu.Lock()
		defer mu.Unlock()
		if len(errs) == 0 {
			return nil
		}
		err := errs[0]
		errs = errs[1:]
		return err
	}
}
