package faults_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// carrier is a scripted card whose reader carries APDUs of some length.
type carrier struct {
	script
	info apdu.Info
}

func (c carrier) Info() apdu.Info { return c.info }

// F1
func noExtendedLengths(t *testing.T) {
	for _, caps := range []apdu.Capabilities{{Known: true}, {Known: true, Chaining: true}, {Known: true, Chaining: true, Extended: true}} {
		longest := 0
		c := apdu.NewConn(carrier{script(func(command []byte) ([]byte, error) {
			longest = max(longest, len(command))
			return []byte{0x90, 0x00}, nil
		}), apdu.Info{Protocol: apdu.T1, MaxCommand: 261, MaxResponse: 258}}, apdu.WithCapabilities(caps))
		err := c.Exclusive(t.Context(), nil, func(ctx context.Context, tx *apdu.Tx) error {
			_, err := tx.Do(ctx, apdu.Command{INS: 0xDB, Data: make([]byte, 600)})
			return err
		})
		if caps.Chaining && err != nil || !caps.Chaining && !errors.Is(err, apdu.ErrTooLong) {
			t.Errorf("%+v: %v", caps, err)
		}
		if longest > 261 {
			t.Errorf("%+v: an APDU of %d bytes was sent", caps, longest)
		}
		c.Close()
	}
}

// F2
func zerosForAnswers(t *testing.T) {
	for _, n := range []int{2, 20, 258} {
		_, err := script(func([]byte) ([]byte, error) { return make([]byte, n), nil }).ask(t.Context(), apdu.Command{INS: 0xCB, Data: []byte{0x5C}, Le: 256})
		if !errors.Is(err, apdu.ErrLink) {
			t.Errorf("%d zeros: %v", n, err)
		}
	}
	newRig(t).rewritten(true, func(a []byte) []byte { return make([]byte, len(a)) })
}

// F3
func lengthsAtTheEdge(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 257, 511, 512, 513, 520, 4095, 4096, 65535, 65536} {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i * 7)
		}
		left := want
		data, err := script(func(command []byte) ([]byte, error) {
			le := 256
			if last := command[len(command)-1]; last != 0 {
				le = int(last)
			}
			part := left[:min(le, len(left))]
			left = left[len(part):]
			sw := uint16(0x9000)
			if len(left) > 0 {
				sw = 0x6100 | uint16(byte(min(256, len(left))))
			}
			return binary.BigEndian.AppendUint16(bytes.Clone(part), sw), nil
		}).ask(t.Context(), apdu.Command{INS: 0xCB, Data: []byte{0x5C, 0x00}, Le: 65536})
		if err != nil || !bytes.Equal(data, want) {
			t.Errorf("%d bytes: %d, %v", n, len(data), err)
		}
	}
}

// F4
func protocolT0(t *testing.T) {
	var sent [][]byte
	c := apdu.NewConn(carrier{script(func(command []byte) ([]byte, error) {
		sent = append(sent, bytes.Clone(command))
		switch command[1] {
		case 0xC0:
			return []byte{1, 2, 3, 0x90, 0x00}, nil
		case 0xB0:
			if command[4] != 3 {
				return []byte{0x6C, 0x03}, nil
			}
			return []byte{1, 2, 3, 0x90, 0x00}, nil
		}
		return []byte{0x61, 0x03}, nil
	}), apdu.Info{Protocol: apdu.T0}})
	defer c.Close()
	for _, cmd := range []apdu.Command{{INS: 0xCB, Data: []byte{1}, Le: 256}, {INS: 0xB0, Le: 256}} {
		c.Exclusive(t.Context(), nil, func(ctx context.Context, tx *apdu.Tx) error {
			if data, err := tx.Do(ctx, cmd); err != nil || !bytes.Equal(data, []byte{1, 2, 3}) {
				t.Errorf("%v: %X, %v", cmd, data, err)
			}
			return nil
		})
	}
	if len(sent) != 4 {
		t.Errorf("%X", sent)
	}
}

// F5
func linkFailsOnce(t *testing.T) {
	for ins, want := range map[byte]int{0xB0: 2, 0xCA: 2, 0x20: 1, 0x2A: 1, 0xD6: 1, 0x46: 1} {
		n := 0
		_, err := script(func([]byte) ([]byte, error) {
			if n++; n == 1 {
				return nil, apdu.ErrLink
			}
			return []byte{1, 0x90, 0x00}, nil
		}).ask(t.Context(), apdu.Command{INS: ins, P2: 1, Data: map[bool][]byte{true: {1, 2, 3, 4}}[want == 1], Le: 256})
		if n != want || (err == nil) != (want == 2) {
			t.Errorf("%02X: sent %d times, %v", ins, n, err)
		}
	}
	newRig(t).broken(virtual.Fault{Kind: virtual.FailLink})
}

// F6
func longGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.user()
		r.wire.forget()
		r.suffers(virtual.On(virtual.INS(0x46), virtual.Fault{Kind: virtual.Stall, Wait: 180 * time.Second}))
		start := time.Now()
		r.pair(s, "slow")
		if d := time.Since(start); d < 180*time.Second {
			t.Errorf("it took %v", d)
		}
		if n := r.wire.count(0x46); n != 1 {
			t.Errorf("%d commands to generate", n)
		}
		r.ok(r.module.Close())
	})
}

// F7
func hungReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.user()
		key := r.key(s, "k")
		r.slow(13 * time.Minute)
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			start := time.Now()
			_, err := s.Sign(ctx, mechanism.ECDSA{}, key, make([]byte, 32))
			cancel()
			if d := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || d > 2100*time.Millisecond {
				t.Errorf("%v after %v", err, d)
			}
		}
		start := time.Now()
		r.module.Close()
		if d := time.Since(start); d > 1100*time.Millisecond {
			t.Errorf("Close took %v", d)
		}
		time.Sleep(2 * time.Hour)
	})
}

// F8
func cancelledTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := r.user()
		key := r.key(s, "k")
		r.suffers(virtual.Rule{Match: virtual.INS(0x2A), Every: 1, Fault: virtual.Fault{Kind: virtual.Stall, Wait: 15 * time.Second}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := s.Sign(ctx, mechanism.ECDSA{}, key, make([]byte, 32))
		if d := time.Since(start); err == nil || d != time.Second {
			t.Errorf("%v after %v", err, d)
		}
		digest := bytes.Repeat([]byte{7}, 32)
		if must(s.Info())(t).State != token.RWUser {
			r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
		}
		key = r.key(s, "k")
		sig := must(s.Sign(r.ctx, mechanism.ECDSA{}, key, digest))(t)
		public := r.find(s, object.AttrClass.Is(object.ClassPublicKey), object.AttrLabel.Is("k"))[0]
		r.ok(s.Verify(r.ctx, mechanism.ECDSA{}, public, digest, sig))
		r.ok(r.module.Close())
		time.Sleep(time.Hour)
	})
}

// F9
func lateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := apdu.NewConn(script(func(command []byte) ([]byte, error) {
			if n++; n == 1 {
				time.Sleep(time.Minute)
			}
			return []byte{command[2], 0x90, 0x00}, nil
		}))
		ask := func(ctx context.Context, p1 byte) (data []byte, err error) {
			err = c.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
				data, err = tx.Do(ctx, apdu.Command{INS: 0xB0, P1: p1, Le: 1})
				return err
			})
			return data, err
		}
		epoch := c.Epoch()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ask(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, apdu.ErrOutcomeUnknown) {
			t.Error(err)
		}
		if data, err := ask(t.Context(), 2); err != nil || !bytes.Equal(data, []byte{2}) {
			t.Errorf("%X, %v", data, err)
		}
		if c.Epoch() == epoch {
			t.Error("the epoch is the same")
		}
		c.Close()
	})
}

// F10
func slowReaderIsBearable(t *testing.T) {
	r := newRig(t)
	s := r.user()
	key := r.key(s, "k")
	r.find(s)
	r.wire.forget()
	r.find(s)
	r.find(s)
	if n := len(r.wire.sent()); n > 4 {
		t.Errorf("%d exchanges to list twice what is known", n)
	}
	r.ok(s.Logout(r.ctx))
	r.wire.forget()
	r.ok(s.Login(r.ctx, token.User, pin(userPIN)))
	login := len(r.wire.sent())
	key = r.key(s, "k")
	r.wire.forget()
	r.ok(r.sign(s, key))
	if n := len(r.wire.sent()); n > 6 {
		t.Errorf("%d exchanges to sign", n)
	}
	p := pivRig(t, virtual.NISTPIV(), nil)
	ps := must(session.Open(p.ctx, p.token))(t)
	found := p.find(ps)
	p.wire.forget()
	p.ok(ps.Login(p.ctx, token.User, pin(userPIN)))
	i := slices.IndexFunc(found, func(o *object.Object) bool { return o.Class() == object.ClassPrivateKey })
	pk := p.find(ps, object.AttrClass.Is(object.ClassPrivateKey))[0]
	p.ok(p.sign(ps, pk))
	t.Logf("%d exchanges to log in; PIV: %d to log in and sign (%d)", login, len(p.wire.sent()), i)
	if n := len(p.wire.sent()); n > 6 {
		t.Errorf("PIV: %d exchanges to log in and sign", n)
	}
}
