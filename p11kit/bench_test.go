package p11kit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// echoServer is a bare round trip over the same kind of socket.
func echoServer(b *testing.B) string {
	path := filepath.Join(b.TempDir(), "echo")
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				c.Close()
			}()
		}
	}()
	return path
}

// message makes a call's message once, so that the client of a benchmark costs
// no more than an echo's.
func message(id uint32, fields func(w *writer)) []byte {
	var body writer
	body.u32(id)
	body.text(calls[id].request)
	if fields != nil {
		fields(&body)
	}
	w := &writer{b: make([]byte, sizeofHeader)}
	binary.BigEndian.PutUint32(w.b[8:], uint32(len(body.b)))
	return append(w.b, body.b...)
}

// exchange sends a message and reads the answer, which must be none that tells
// of an error.
func exchange(b *testing.B, p *peer, msg, buf []byte) {
	p.c.Write(msg)
	if _, err := io.ReadFull(p.r, buf[:sizeofHeader]); err != nil {
		b.Error(err)
		return
	}
	body := buf[:binary.BigEndian.Uint32(buf[8:])]
	if _, err := io.ReadFull(p.r, body); err != nil {
		b.Error(err)
		return
	}
	if binary.BigEndian.Uint32(body) == 0 {
		b.Errorf("the server answered %x", body)
	}
}

// BenchmarkServe sets what the server does for one client, and for 16, beside
// what cannot be had for less: info beside an echo, and sign, which is two
// calls, beside a signature of the standard library and echoes.
func BenchmarkServe(b *testing.B) {
	path, echo := startServer(b), echoServer(b)
	for _, clients := range []int{1, 16} {
		each := func(name string, start func(b *testing.B) func()) {
			b.Run(fmt.Sprintf("%s/%d", name, clients), func(b *testing.B) {
				ones := make([]func(), clients)
				for i := range ones {
					ones[i] = start(b)
				}
				b.ReportAllocs()
				b.ResetTimer()
				var all sync.WaitGroup
				for i, one := range ones {
					n := (b.N + i) / clients
					all.Go(func() {
						for range n {
							one()
						}
					})
				}
				all.Wait()
			})
		}
		each("echo", func(b *testing.B) func() {
			p := dial(b, echo)
			buf := make([]byte, 20)
			return func() {
				p.c.Write(buf)
				io.ReadFull(p.r, buf)
			}
		})
		each("info", func(b *testing.B) func() {
			p := connect(b, path)
			msg, buf := message(3, nil), make([]byte, 256)
			return func() { exchange(b, p, msg, buf) }
		})
		each("sign", func(b *testing.B) func() {
			p := connect(b, path)
			s := p.open(roSession)
			p.login(s)
			key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
			begin := message(42, func(w *writer) {
				w.ulong(s)
				w.mech(uint32(mechanism.TypeECDSA))
				w.ulong(key)
			})
			sign := message(43, func(w *writer) {
				w.ulong(s)
				w.bytes(make([]byte, 32))
				w.u32(64)
			})
			buf := make([]byte, 256)
			return func() {
				exchange(b, p, begin, buf)
				exchange(b, p, sign, buf)
			}
		})
		each("stdlib", func(b *testing.B) func() {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				b.Fatal(err)
			}
			return func() { ecdsa.SignASN1(rand.Reader, key, make([]byte, 32)) }
		})
	}
}
