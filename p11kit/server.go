package p11kit

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// Version is the newest version of the protocol that the server speaks: the
// calls of PKCS #11 2.40.
const Version = 0

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
		ctx: ctx, c: c, r: bufio.NewReaderSize(c, 1<<14), slots: make(chan struct{}, maxInFlight),
		app: application{root: m},
	}
	defer s.app.end()
	defer s.calls.Wait()
	defer cancel()
	if s.hello() == nil {
		s.loop()
	}
}

// conn is one connection.
type conn struct {
	ctx     context.Context
	c       net.Conn
	r       *bufio.Reader
	offered byte // the client's version
	app     application

	slots chan struct{}
	calls sync.WaitGroup
	write sync.Mutex
}

// hello agrees on a version.
func (s *conn) hello() error {
	s.c.SetReadDeadline(time.Now().Add(helloTime))
	v, err := s.r.ReadByte()
	if err != nil {
		return err
	}
	s.offered = v
	s.app.version = v
	_, err = s.c.Write([]byte{min(v, Version)})
	return err
}

// loop carries out calls as they come; several at once, as the threads of the
// client send them.
func (s *conn) loop() {
	for {
		code, body, err := s.message()
		if err != nil {
			return
		}
		select {
		case s.slots <- struct{}{}:
		case <-s.ctx.Done():
			return
		}
		s.calls.Go(func() {
			defer func() { <-s.slots }()
			answer, err := s.app.call(s.ctx, body)
			clear(body)
			if err == nil {
				err = s.answer(code, answer)
			}
			clear(answer)
			if err != nil {
				s.c.Close()
			}
		})
	}
}

// message reads one message and returns its code and body.
func (s *conn) message() (code uint32, body []byte, err error) {
	s.c.SetReadDeadline(time.Time{})
	if _, err := s.r.Peek(1); err != nil {
		return 0, nil, err
	}
	s.c.SetReadDeadline(time.Now().Add(messageTime))
	var head [sizeofHeader]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	options, length := binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint32(head[8:])
	if options > maxMessage || length > maxMessage-options || length < 8 {
		return 0, nil, fmt.Errorf("%w: %d and %d bytes", errWire, options, length)
	}
	if _, err := s.r.Discard(int(options)); err != nil {
		return 0, nil, err
	}
	if body, err = readAll(s.r, int(length)); err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(head[:]), body, nil
}

// readAll reads n bytes, and takes memory only as they come.
func readAll(r io.Reader, n int) ([]byte, error) {
	const step = 1 << 16
	b := make([]byte, 0, min(n, step))
	for len(b) < n {
		k := min(step, n-len(b))
		b = append(b, make([]byte, k)...)
		if _, err := io.ReadFull(r, b[len(b)-k:]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (s *conn) answer(code uint32, body []byte) error {
	msg := make([]byte, sizeofHeader, sizeofHeader+len(body))
	binary.BigEndian.PutUint32(msg, code)
	binary.BigEndian.PutUint32(msg[8:], uint32(len(body)))
	msg = append(msg, body...)
	defer clear(msg)
	s.write.Lock()
	defer s.write.Unlock()
	_, err := s.c.Write(msg)
	return err
}

// call carries out the call in a message's body and returns the body of the
// answer. An error is one of the protocol, and ends the connection.
func (a *application) call(ctx context.Context, body []byte) ([]byte, error) {
	r := &reader{b: body}
	id := r.u32()
	signature := string(r.array())
	if r.err != nil || int(id) >= len(calls) || calls[id].run == nil || calls[id].request != signature {
		return nil, fmt.Errorf("%w: call %d with signature %q", errWire, id, signature)
	}
	c := &calls[id]
	w := &writer{}
	w.u32(id)
	w.array([]byte(c.answer))
	code := a.run(ctx, c, r, w)
	if r.err != nil {
		return nil, r.err
	}
	if code == ckr.OK {
		return w.b, nil
	}
	clear(w.b)
	e := &writer{}
	e.u32(0)
	e.array([]byte("u"))
	e.ulong(uint64(code))
	return e.b, nil
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
