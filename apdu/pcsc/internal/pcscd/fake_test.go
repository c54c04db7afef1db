package pcscd

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// fake is a daemon of one reader that speaks one version of the protocol, or
// several.
type fake struct {
	t            *testing.T
	lowest, high uint32
	listener     net.Listener

	mu      sync.Mutex
	states  []byte // the array of readers
	conns   map[net.Conn]bool
	waiting map[net.Conn]bool
	seen    []uint32
	answer  func(command []byte) []byte
}

func newFake(t *testing.T, lowest, high uint32) *fake {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "pcscd.comm"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{
		t: t, lowest: lowest, high: high, listener: l,
		conns: make(map[net.Conn]bool), waiting: make(map[net.Conn]bool),
		states: states(16, readerState{name: "Fake 00 00", counter: 3, state: 0x34, atr: []byte{0x3B, 0x00}}),
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		f.mu.Lock()
		for c := range f.conns {
			c.Close()
		}
		f.mu.Unlock()
		served.Wait()
	})
	return f
}

func (f *fake) socket() string { return f.listener.Addr().String() }

func (f *fake) dial() *Client {
	f.t.Helper()
	c, err := Dial(f.t.Context(), f.socket())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	return c
}

// readerState is one entry of the array, as the daemon has it.
type readerState struct {
	name            string
	counter, state  uint32
	atr             []byte
	atrLength       uint32 // if not that of atr
	sharing, active uint32
}

func states(n int, readers ...readerState) []byte {
	var b []byte
	for _, r := range readers {
		entry := make([]byte, nameSize)
		copy(entry, r.name)
		for _, x := range []uint32{r.counter, r.state, r.sharing} {
			entry = order.AppendUint32(entry, x)
		}
		atr := make([]byte, 36)
		length := uint32(copy(atr, r.atr))
		if r.atrLength != 0 {
			length = r.atrLength
		}
		entry = append(entry, atr...)
		entry = order.AppendUint32(entry, length)
		b = append(b, order.AppendUint32(entry, r.active)...)
	}
	return append(b, make([]byte, max(0, n*readerSize-len(b)))...)
}

// change replaces the states and tells those who wait.
func (f *fake) change(states []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states = states
	for c := range f.waiting {
		c.Write(make([]byte, waitSize))
		delete(f.waiting, c)
	}
}

func (f *fake) serve(c net.Conn) {
	f.mu.Lock()
	f.conns[c] = true
	f.mu.Unlock()
	defer func() {
		c.Close()
		f.mu.Lock()
		delete(f.conns, c)
		delete(f.waiting, c)
		f.mu.Unlock()
	}()
	for f.one(c) == nil {
	}
}

// one serves one request.
func (f *fake) one(c net.Conn) error {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(c, head); err != nil {
		return err
	}
	size, command := order.Uint32(head), order.Uint32(head[4:])
	if size > 1024 {
		return errors.New("too long")
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, command)
	set := func(i int, x uint32) { order.PutUint32(body[4*i:], x) }
	switch command {
	case cmdVersion:
		if minor := field(body, 1); minor < f.lowest || minor > f.high {
			set(2, uint32(winscard.ServiceStopped))
		}
		set(0, major)
		set(1, f.high)
	case cmdEstablish:
		set(1, 4711)
	case cmdReaders, cmdReadersArray:
		body = f.states
	case cmdReadersSize:
		body = order.AppendUint32(nil, uint32(len(f.states)/readerSize))
	case cmdWait:
		body = f.states
		f.waiting[c] = true
	case cmdStopWaiting:
		if !f.waiting[c] {
			return nil
		}
		delete(f.waiting, c)
		body = make([]byte, waitSize)
	case cmdConnect:
		if cString(body[4:4+nameSize]) != "Fake 00 00" {
			order.PutUint32(body[len(body)-4:], uint32(winscard.UnknownReader))
		}
		order.PutUint32(body[4+nameSize+8:], 42)
		order.PutUint32(body[4+nameSize+12:], winscard.ProtocolT1)
	case cmdTransmit, cmdControl:
		return f.exchange(c, command, body)
	}
	_, err := c.Write(body)
	return err
}

func (f *fake) exchange(c net.Conn, command uint32, body []byte) error {
	sent, received := 3, 6
	if command == cmdControl {
		sent, received = 2, 4
	}
	data := make([]byte, field(body, sent))
	if _, err := io.ReadFull(c, data); err != nil {
		return err
	}
	answer := f.answer(data)
	order.PutUint32(body[4*received:], uint32(len(answer)))
	_, err := c.Write(append(body, answer...))
	return err
}

// dialAny makes a Client of a connection on which anything may come.
func dialAny(conn net.Conn) (*Client, error) {
	c := &Client{conn: conn, minor: minMinor, wake: make(chan struct{}, 1)}
	_, err := c.establish()
	return c, err
}
