package p11kit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"

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

func BenchmarkServe(b *testing.B) {
	path, echo := startServer(b), echoServer(b)
	for _, clients := range []int{1, 16} {
		each := func(name string, start func(b *testing.B) func()) {
			b.Run(fmt.Sprintf("%s/%d", name, clients), func(b *testing.B) {
				b.SetParallelism((clients + 1) / 2)
				b.RunParallel(func(pb *testing.PB) {
					one := start(b)
					for pb.Next() {
						one()
					}
				})
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
			return func() { p.ok(3, nil) }
		})
		each("sign", func(b *testing.B) func() {
			p := connect(b, path)
			s := p.open(roSession)
			p.login(s)
			key := p.find(s, object.AttrClass.Is(object.ClassPrivateKey), object.AttrLabel.Is("ec"))[0]
			return func() { signEC(p, s, key) }
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
