package pcscd

import (
	"bytes"
	"io"
	"net"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// FuzzReaders reads any bytes as the daemon's array of readers.
func FuzzReaders(f *testing.F) {
	f.Add(states(1, readerState{name: "R", state: 4, atr: []byte{0x3B, 0x00}}))
	f.Add(states(2, readerState{name: "R", state: 0xFFFFFFFF, atrLength: 0xFFFFFFFF}))
	f.Fuzz(func(t *testing.T, b []byte) {
		readers, err := parseReaders(b)
		if (err != nil) != (len(b)%readerSize != 0) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		for _, r := range readers {
			if r.Name == "" || len(r.Name) > nameSize || len(r.ATR) > atrSize || r.ATR != nil && !r.Present {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// FuzzClient has a daemon answer anything at all.
func FuzzClient(f *testing.F) {
	ok := bytes.Repeat([]byte{0}, versionSize+establishSize)
	f.Add(slicesOf(ok, states(16, readerState{name: "R", state: 4}), make([]byte, connectSize), make([]byte, transmitSize)))
	f.Add(slicesOf(ok, states(16), bytes.Repeat([]byte{0xFF}, connectSize)))
	f.Fuzz(func(t *testing.T, script []byte) {
		c, err := dialAny(&scripted{Reader: bytes.NewReader(script)})
		if err != nil {
			return
		}
		if _, err := c.Watch(); err != nil {
			return
		}
		k, err := c.Connect("R")
		if err != nil {
			return
		}
		for range 4 {
			answer, err := k.Transmit(make([]byte, 5))
			if len(answer) > winscard.MaxBuffer {
				t.Fatalf("%d bytes", len(answer))
			}
			if err != nil {
				break
			}
		}
		k.Control(1, nil)
		k.Status()
		c.Wait()
	})
}

// scripted is a connection on which all is said already.
type scripted struct {
	io.Reader
	net.Conn
}

func (s *scripted) Read(b []byte) (int, error)  { return s.Reader.Read(b) }
func (s *scripted) Write(b []byte) (int, error) { return len(b), nil }
func (s *scripted) Close() error                { return nil }

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
