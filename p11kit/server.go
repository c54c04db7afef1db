package p11kit

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// Version is the newest version of the protocol that the server speaks, which
// can tell of parameters that a derivation has changed. Version 0 has the calls
// of PKCS #11 2.40, version 1 those of 3.0.
const Version = 2

// Bounds of one connection.
const (
	maxInFlight  = 64               // calls that are being carried out
	helloTime    = 10 * time.Second // for the first byte
	messageTime  = 30 * time.Second // for the rest of a message that has begun
	sizeofHeader = 12
)

// Serve serves m to the clients that connect to l, until ctx is done or l is
// closed. A client that breaks the protocol is dropped; the others live on.
// When Serve returns, all connections are closed and their applications ended.
func Serve(ctx context.Context, l net.Listener, m *cryptoki.Module) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("p11kit: accept: %w", err)
		}
		all.Go(func() { serve(ctx, c, m) })
	}
}

// serve serves one client.
func serve(ctx context.Context, c net.Conn, m *cryptoki.Module) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if u, ok := c.(*net.UnixConn); ok && samePeer(u) != nil {
		return
	}
	s := &conn{
		ctx: ctx, cancel: cancel, c: c, r: bufio.NewReaderSize(c, 1<<14), slots: make(chan struct{}, maxInFlight),
		app: application{root: m},
	}
	defer s.app.end()
	s.watch.start(func() { s.calls.Go(s.loop) })
	defer s.watch.stop()
	if s.hello() == nil {
		s.loop()
		s.calls.Wait()
	}
}

// conn is one connection.
type conn struct {
	ctx    context.Context
	cancel func()
	c      net.Conn
	r      *bufio.Reader
	app    application

	slots chan struct{}
	calls sync.WaitGroup
	watch watch
	write sync.Mutex
}

// hello agrees on a version.
func (s *conn) hello() error {
	s.c.SetReadDeadline(time.Now().Add(helloTime))
	v, err := s.r.ReadByte()
	if err != nil {
		return err
	}
	s.c.SetReadDeadline(time.Time{})
	s.app.offered, s.app.agreed = v, min(v, Version)
	_, err = s.c.Write([]byte{s.app.agreed})
	return err
}

// loop carries out calls as they come; several at once, as the threads of the
// client send them. Most calls are over sooner than another goroutine would
// take to wake up, so the one that has read a call carries it out, watched: a
// call that takes long leaves the reading to a successor.
func (s *conn) loop() {
	for {
		d, err := s.message()
		if err != nil {
			s.cancel()
			return
		}
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			d.free()
			return
		}
		if s.r.Buffered() > 0 { // another call waits already
			s.calls.Go(func() { s.carryOut(d) })
			continue
		}
		turn := s.watch.begin()
		s.carryOut(d)
		if !s.watch.end(turn) {
			return
		}
	}
}

// carryOut carries out a call and answers it.
func (s *conn) carryOut(d *callContext) {
	defer func() { <-s.slots }()
	defer d.free()
	err := s.app.call(s.ctx, d)
	if err == nil {
		err = s.answer(d)
	}
	if err != nil {
		s.c.Close()
	}
}

// message reads one message. It waits as long as it takes for the first byte;
// the rest must come in time.
func (s *conn) message() (*callContext, error) {
	if _, err := s.r.Peek(1); err != nil {
		return nil, err
	}
	late := false // a deadline is set
	within := func(n int) {
		if !late && s.r.Buffered() < n {
			late = true
			s.c.SetReadDeadline(time.Now().Add(messageTime))
		}
	}
	within(sizeofHeader)
	var head [sizeofHeader]byte
	for i := range head {
		b, err := s.r.ReadByte()
		if err != nil {
			return nil, err
		}
		head[i] = b
	}
	options, length := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	if options > maxMessage || length > maxMessage-options || length < 8 {
		return nil, fmt.Errorf("%w: %d and %d bytes", errWire, options, length)
	}
	within(int(options + length))
	if _, err := s.r.Discard(int(options)); err != nil {
		return nil, err
	}
	d := newCallContext()
	if err := d.read(s.r, int(length)); err != nil {
		d.free()
		return nil, err
	}
	if late {
		s.c.SetReadDeadline(time.Time{})
	}
	d.code = binary.BigEndian.Uint32(head[:])
	return d, nil
}

// answer sends what call has made.
func (s *conn) answer(d *callContext) error {
	msg := d.w.b
	binary.BigEndian.PutUint32(msg, d.code)
	binary.BigEndian.PutUint32(msg[8:], uint32(len(msg)-sizeofHeader))
	s.write.Lock()
	defer s.write.Unlock()
	_, err := s.c.Write(msg)
	return err
}

// call carries out the call in a message's body and writes the answer, with
// room for the header before it. An error is one of the protocol, and ends the
// connection.
func (a *application) call(ctx context.Context, d *callContext) error {
	r, w := &d.r, &d.w
	r.b = d.body
	r.offered, w.offered = a.offered, a.offered
	id := r.u32()
	signature := r.array()
	c := lookup(id, signature, a.agreed)
	if r.err != nil || c == nil {
		return fmt.Errorf("%w: call %d with signature %q", errWire, id, signature)
	}
	_, r.rest, _ = strings.Cut(c.request, "M")
	d.begin()
	w.u32(id)
	w.text(c.answer)
	code := a.run(ctx, c, r, w)
	if r.err != nil {
		return r.err
	}
	if code != ckr.OK {
		d.begin()
		w.u32(0)
		w.text("u")
		w.ulong(uint64(code))
	}
	return nil
}

// run runs a handler. A panic is an error of ours, and costs the client this
// call only.
func (a *application) run(ctx context.Context, c *call, r *reader, w *writer) (code ckr.Code) {
	defer func() {
		if p := recover(); p != nil {
			code = ckr.GeneralError
		}
	}()
	if !c.early && !a.begun() {
		return ckr.CryptokiNotInitialized
	}
	return ckr.Of(c.run(ctx, a, r, w))
}
