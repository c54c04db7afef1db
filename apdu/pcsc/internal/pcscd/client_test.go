package pcscd

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

func TestVersionsAreAgreedOn(t *testing.T) {
	for _, test := range []struct {
		name         string
		lowest, high uint32
		want         uint32 // 0 if there is none
	}{
		{"4:4 only", 4, 4, 4},
		{"4:5 only", 5, 5, 5},
		{"4:6 only", 6, 6, 6},
		{"4:4 to 4:5", 4, 5, 4},
		{"4:4 to 4:6", 4, 6, 4},
		{"older", 3, 3, 0},
		{"newer", 7, 7, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(t, test.lowest, test.high)
			c, err := Dial(t.Context(), f.socket())
			if test.want == 0 {
				if !errors.Is(err, ErrVersion) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if c.minor != test.want {
				t.Errorf("agreed on 4:%d", c.minor)
			}
			readers, err := c.Readers()
			want := []Reader{{Name: "Fake 00 00", Present: true, Counter: 3, ATR: []byte{0x3B, 0x00}}}
			if diff := cmp.Diff(want, readers); diff != "" || err != nil {
				t.Errorf("readers: %v\n%s", err, diff)
			}
		})
	}
}

func TestDialSaysWhyNot(t *testing.T) {
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, winscard.NoService) {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Dial(ctx, newFake(t, 4, 4).socket()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestChangesAreWaitedFor(t *testing.T) {
	for _, minor := range []uint32{4, 5, 6} {
		f := newFake(t, minor, minor)
		c := f.dial()
		first, err := c.Watch()
		if err != nil || len(first) != 1 {
			t.Fatal(first, err)
		}
		f.change(states(16))
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		if now, err := c.Watch(); err != nil || len(now) != 0 {
			t.Errorf("4:%d: %v, %v", minor, now, err)
		}
		go c.Interrupt()
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestAClientThatWasInterruptedGoesOn(t *testing.T) {
	f := newFake(t, 4, 4)
	c := f.dial()
	for range 100 {
		if _, err := c.Watch(); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			c.Interrupt()
			c.Interrupt() // finds nobody waiting, or the next time
			close(done)
		}()
		if err := c.Wait(); err != nil {
			t.Fatal(err)
		}
		<-done
	}
	if _, err := c.Readers(); err != nil {
		t.Error(err)
	}
}

func TestCardIsUsed(t *testing.T) {
	f := newFake(t, 4, 4)
	f.answer = func(command []byte) []byte { return append(bytes.Clone(command), 0x90, 0x00) }
	c := f.dial()
	if _, err := c.Connect("Other"); !errors.Is(err, winscard.UnknownReader) {
		t.Errorf("another reader: %v", err)
	}
	k, err := c.Connect("Fake 00 00")
	if err != nil {
		t.Fatal(err)
	}
	if k.Protocol() != winscard.ProtocolT1 {
		t.Errorf("protocol %d", k.Protocol())
	}
	for _, n := range []int{4, 5, 261, 65548} {
		command := bytes.Repeat([]byte{0xA5}, n)
		f.answer = func(command []byte) []byte { return append(bytes.Clone(command[:n-4]), 0x90, 0x00) }
		answer, err := k.Transmit(command)
		if err != nil || len(answer) != n-2 {
			t.Errorf("%d bytes: %d bytes, %v", n, len(answer), err)
		}
	}
	for _, n := range []int{0, 3, 65549} {
		if _, err := k.Transmit(make([]byte, n)); !errors.Is(err, winscard.InvalidParameter) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	f.answer = func(in []byte) []byte { return slices.Concat([]byte("got "), in) }
	if out, err := k.Control(1, []byte("this")); string(out) != "got this" || err != nil {
		t.Errorf("control: %q, %v", out, err)
	}
	for name, err := range map[string]error{
		"begin": k.Begin(), "status": k.Status(), "end": k.End(winscard.LeaveCard),
		"reconnect": k.Reconnect(winscard.LeaveCard), "disconnect": k.Disconnect(winscard.LeaveCard),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommandsAreNotKept(t *testing.T) {
	f := newFake(t, 4, 4)
	f.answer = func([]byte) []byte { return []byte{0x90, 0x00} }
	c := f.dial()
	k, err := c.Connect("Fake 00 00")
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("\x00\x20\x00\x01\x06123456")
	if _, err := k.Transmit(secret); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(k.request[:cap(k.request)], []byte("123456")) || bytes.Contains(c.buffer[:cap(c.buffer)], []byte("123456")) {
		t.Error("the PIN is still in a buffer")
	}
}

func TestReaderNamesOfAnyKind(t *testing.T) {
	f := newFake(t, 4, 4)
	c := f.dial()
	for _, name := range []string{"", strings.Repeat("x", 128), strings.Repeat("x", 10000)} {
		if _, err := c.Connect(name); !errors.Is(err, winscard.UnknownReader) {
			t.Errorf("%d bytes: %v", len(name), err)
		}
	}
	if _, err := c.Connect(strings.Repeat("x", 127)); !errors.Is(err, winscard.UnknownReader) {
		t.Errorf("127 bytes: %v", err)
	}
	f.change(states(16,
		readerState{name: strings.Repeat("y", 128), state: 2},
		readerState{name: "\xFF\xFE", state: 4, atr: []byte{0x3B}, atrLength: 34},
		readerState{name: "new", state: 0, atrLength: 0xFFFFFFFF}))
	readers, err := c.Readers()
	want := []Reader{{Name: strings.Repeat("y", 128)}, {Name: "\xFF\xFE", Present: true}, {Name: "new"}}
	if diff := cmp.Diff(want, readers); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestAbortEndsACall(t *testing.T) {
	f := newFake(t, 4, 4)
	release := make(chan struct{})
	defer close(release)
	f.answer = func([]byte) []byte { <-release; return nil }
	c := f.dial()
	k, err := c.Connect("Fake 00 00")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, c.Abort)
	if _, err := k.Transmit(make([]byte, 5)); !errors.Is(err, winscard.ServiceStopped) {
		t.Errorf("got %v", err)
	}
}
