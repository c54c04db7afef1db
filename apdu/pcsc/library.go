//go:build windows || (cgo && (darwin || pcsclite))

package pcsc

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/ebfe/scard"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// library reaches the service through the system's own library.
type library struct{}

func (library) dial(ctx context.Context) (session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := scard.EstablishContext()
	if err != nil {
		return nil, code(err)
	}
	return &librarySession{c: c}, nil
}

func (library) ctlCode(code uint32) uint32 { return scard.CtlCode(uint16(code)) }

// code makes an error of the library one of ours.
func code(err error) error {
	var e scard.Error
	if errors.As(err, &e) {
		return winscard.Error(uint32(e))
	}
	return err
}

// pnp is the name under which the service tells that readers come and go.
const pnp = `\\?PnP?\Notification`

// librarySession is one context. No call of the library but the one that
// waits can be cut short.
type librarySession struct {
	c      *scard.Context
	states []scard.ReaderState // as seen by Watch, the last is that of pnp

	mu         sync.Mutex
	stop       bool // Wait is to return, or has returned
	cancelling bool
	aborted    bool
}

// noPnP tells that the service knows no pnp.
const noPnP = runtime.GOOS == "darwin"

// waitTime bounds a wait: where the service does not tell of new readers they
// are looked for that often.
func waitTime() time.Duration {
	if noPnP {
		return 500 * time.Millisecond
	}
	return 10 * time.Second
}

func (s *librarySession) Watch() ([]winscard.Reader, error) {
	s.setStop(false)
	names, err := s.c.ListReaders()
	if err != nil && !errors.Is(err, scard.ErrNoReadersAvailable) {
		return nil, code(err)
	}
	s.states = s.states[:0]
	for _, name := range names {
		s.states = append(s.states, scard.ReaderState{Reader: name, CurrentState: scard.StateUnaware})
	}
	if len(names) > 0 {
		if err := s.look(); err != nil {
			return nil, err
		}
	}
	readers := make([]winscard.Reader, 0, len(names))
	for i := range s.states {
		st := &s.states[i]
		readers = append(readers, readerOf(st))
		st.CurrentState = st.EventState &^ scard.StateChanged
	}
	if !noPnP {
		s.states = append(s.states, scard.ReaderState{Reader: pnp, CurrentState: scard.StateFlag(uint32(len(names)) << 16)})
	}
	return readers, nil
}

func readerOf(st *scard.ReaderState) winscard.Reader {
	r := winscard.Reader{
		Name:    st.Reader,
		Present: st.EventState&scard.StatePresent != 0,
		Mute:    st.EventState&scard.StateMute != 0,
		Counter: uint16(uint32(st.EventState) >> 16),
	}
	if r.Present {
		r.ATR = append([]byte(nil), st.Atr...)
	}
	return r
}

// look reads the states of the readers that are named. A cancellation that was
// meant for Wait may come too late.
func (s *librarySession) look() error {
	for {
		err := s.c.GetStatusChange(s.states, 0)
		switch {
		case err == nil, errors.Is(err, scard.ErrTimeout):
			return nil
		case !errors.Is(err, scard.ErrCancelled):
			return code(err)
		}
	}
}

func (s *librarySession) Wait() error {
	if s.stopped() {
		return nil
	}
	defer s.setStop(true)
	if len(s.states) == 0 {
		time.Sleep(waitTime())
		return nil
	}
	err := s.c.GetStatusChange(s.states, waitTime())
	switch {
	case err == nil, errors.Is(err, scard.ErrTimeout), errors.Is(err, scard.ErrCancelled),
		errors.Is(err, scard.ErrUnknownReader), errors.Is(err, scard.ErrReaderUnavailable):
		return nil
	}
	return code(err)
}

func (s *librarySession) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop || s.aborted
}

func (s *librarySession) setStop(stop bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = stop
}

// Interrupt cancels until Wait has returned and Watch is called again, as a
// cancellation that comes before its time is lost.
func (s *librarySession) Interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop || s.aborted {
		return
	}
	s.stop = true
	s.startCancelling()
}

// startCancelling is called with the lock held.
func (s *librarySession) startCancelling() {
	if !s.cancelling {
		s.cancelling = true
		go s.cancel()
	}
}

func (s *librarySession) cancel() {
	for {
		s.c.Cancel()
		time.Sleep(5 * time.Millisecond)
		s.mu.Lock()
		if !s.stop {
			s.cancelling = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// Abort ends a Wait; other calls cannot be cut short.
func (s *librarySession) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aborted {
		return
	}
	s.aborted = true
	if !s.stop {
		s.stop = true
		s.startCancelling()
	}
}

func (s *librarySession) Close() error {
	s.mu.Lock()
	s.aborted = true
	s.stop = false // ends cancel
	s.mu.Unlock()
	return code(s.c.Release())
}

func (s *librarySession) Connect(reader string) (card, error) {
	c, err := s.c.Connect(reader, scard.ShareShared, scard.ProtocolT0|scard.ProtocolT1)
	if err != nil {
		return nil, code(err)
	}
	return libraryCard{c}, nil
}

type libraryCard struct{ c *scard.Card }

func (k libraryCard) Protocol() uint32 { return uint32(k.c.ActiveProtocol()) }

func (k libraryCard) Reconnect(initialization uint32) error {
	return code(k.c.Reconnect(scard.ShareShared, scard.ProtocolT0|scard.ProtocolT1, scard.Disposition(initialization)))
}

func (k libraryCard) Disconnect(d uint32) error { return code(k.c.Disconnect(scard.Disposition(d))) }
func (k libraryCard) Begin() error              { return code(k.c.BeginTransaction()) }
func (k libraryCard) End(d uint32) error        { return code(k.c.EndTransaction(scard.Disposition(d))) }

func (k libraryCard) Status() error {
	_, err := k.c.Status()
	return code(err)
}

func (k libraryCard) Transmit(command []byte) ([]byte, error) {
	if len(command) < 4 || len(command) > winscard.MaxBuffer {
		return nil, fmt.Errorf("command of %d bytes: %w", len(command), winscard.InvalidParameter)
	}
	if p := k.c.ActiveProtocol(); p != scard.ProtocolT0 && p != scard.ProtocolT1 {
		return nil, winscard.ProtocolMismatch
	}
	response, err := k.c.Transmit(command)
	if err != nil {
		return nil, code(err)
	}
	return append([]byte(nil), response...), nil
}

func (k libraryCard) Control(ioctl uint32, in []byte) ([]byte, error) {
	out, err := k.c.Control(ioctl, in)
	if err != nil {
		return nil, code(err)
	}
	return append([]byte(nil), out...), nil
}
