package p11kit

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/cardtest"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
)

// peer is a client that speaks the protocol as p11-kit's does, or worse.
type peer struct {
	t testing.TB
	c net.Conn
	r *bufio.Reader

	mu   sync.Mutex
	next uint32
}

// startServer serves a card with an RSA and an EC key, and returns the
// socket's path.
func startServer(t testing.TB) string {
	t.Helper()
	readers, err := cardtest.Readers(context.Background(),
		cardtest.Key{Label: "ec", Type: cardtest.P256}, cardtest.Key{Label: "rsa", Type: cardtest.RSA2048})
	if err != nil {
		t.Fatal(err)
	}
	m, err := cryptoki.Open(context.Background(), cryptoki.WithProvider(readers))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, m) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		m.Close()
	})
	return path
}

// dial connects without a greeting.
func dial(t testing.TB, path string) *peer {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &peer{t: t, c: c, r: bufio.NewReader(c)}
}

// connect connects and calls C_Initialize.
func connect(t testing.TB, path string) *peer {
	t.Helper()
	return dial(t, path).greet()
}

// greet agrees on a version and calls C_Initialize.
func (p *peer) greet() *peer {
	p.t.Helper()
	return p.greetAs(0, 0)
}

// greetAs offers a version and expects another.
func (p *peer) greetAs(offer, agreed byte) *peer {
	p.t.Helper()
	p.c.Write([]byte{offer})
	if v, err := p.r.ReadByte(); err != nil || v != agreed {
		p.t.Fatalf("version %d, %v", v, err)
	}
	p.ok(1, func(w *writer) {
		w.bytes([]byte(handshake))
		w.byte(0)
		w.byte(0)
		w.u32(0)
	})
	return p
}

// send sends a call.
func (p *peer) send(code, id uint32, signature string, fields []byte) error {
	var body writer
	body.u32(id)
	body.array([]byte(signature))
	body.b = append(body.b, fields...)
	var msg writer
	msg.u32(code)
	msg.u32(0)
	msg.u32(uint32(len(body.b)))
	_, err := p.c.Write(append(msg.b, body.b...))
	return err
}

// receive reads an answer: the fields, or the code of an error.
func (p *peer) receive(id uint32) (*reader, ckr.Code, error) {
	var head [12]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return nil, 0, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[8:]))
	if _, err := io.ReadFull(p.r, body); err != nil {
		return nil, 0, err
	}
	r := &reader{b: body}
	got, signature := r.u32(), string(r.array())
	if got == 0 && signature == "u" {
		return nil, ckr.Code(r.ulong()), nil
	}
	if got != id || signature != calls[id].answer {
		return nil, 0, fmt.Errorf("answer %d with signature %q", got, signature)
	}
	return r, ckr.OK, nil
}

// call carries out one call.
func (p *peer) call(id uint32, fields func(w *writer)) (*reader, ckr.Code) {
	p.t.Helper()
	var w writer
	if fields != nil {
		fields(&w)
	}
	p.next++
	if err := p.send(p.next, id, calls[id].request, w.b); err != nil {
		p.t.Fatalf("%s: %v", calls[id].name, err)
	}
	r, code, err := p.receive(id)
	if err != nil {
		p.t.Fatalf("%s: %v", calls[id].name, err)
	}
	return r, code
}

// ok carries out a call that must succeed.
func (p *peer) ok(id uint32, fields func(w *writer)) *reader {
	p.t.Helper()
	r, code := p.call(id, fields)
	if code != ckr.OK {
		p.t.Fatalf("%s: %v", calls[id].name, code)
	}
	return r
}

// fails carries out a call that must fail with a code.
func (p *peer) fails(want ckr.Code, id uint32, fields func(w *writer)) {
	p.t.Helper()
	if _, code := p.call(id, fields); code != want {
		p.t.Errorf("%s: %v (%s), not %s", calls[id].name, code, code.Name(), want.Name())
	}
}

func numbers(n ...uint64) func(w *writer) {
	return func(w *writer) {
		for _, x := range n {
			w.ulong(x)
		}
	}
}

// open opens a session with the only token.
func (p *peer) open(flags uint64) uint64 {
	p.t.Helper()
	return p.ok(10, numbers(1, flags)).ulong()
}

func (p *peer) login(s uint64) {
	p.t.Helper()
	p.ok(18, func(w *writer) {
		w.ulong(s)
		w.ulong(1)
		w.bytes([]byte(cardtest.PIN))
	})
}

// find returns the handles of the objects that match.
func (p *peer) find(s uint64, match ...object.Attribute) []uint64 {
	p.t.Helper()
	p.ok(26, func(w *writer) {
		w.ulong(s)
		w.template(match)
	})
	r := p.ok(27, func(w *writer) {
		w.ulong(s)
		w.u32(100)
	})
	var found []uint64
	if r.byte() == 1 {
		for range r.u32() {
			found = append(found, r.ulong())
		}
	}
	p.ok(28, numbers(s))
	return found
}

// template writes a field aA.
func (w *writer) template(t object.Template) {
	w.u32(uint32(len(t)))
	for _, a := range t {
		w.u32(uint32(a.Type))
		w.byte(1)
		w.u32(uint32(sizeOf(a)))
		w.value(a, whole)
	}
}

// mech writes a field M without a parameter, as version 0 does.
func (w *writer) mech(t uint32) {
	w.u32(t)
	w.u32(nullLength)
}

// dialEnv names the socket that the test's program dials where it is run as
// another user.
const dialEnv = "P11KIT_TEST_DIAL"

// dialAsked reports by its exit code whether the server answers a greeting.
func dialAsked(path string) int {
	c, err := net.Dial("unix", path)
	if err != nil {
		return 3
	}
	defer c.Close()
	if _, err := c.Write([]byte{0}); err != nil {
		return 4 // hung up already
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return 4
	}
	return 0
}
