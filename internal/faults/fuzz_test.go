package faults_test

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// stream is a card that gives prepared answers, whatever it is asked: blocks
// of a length in two bytes, little endian, and so many bytes. The first is the
// answer to reset. After the last, everything is answered 6D00.
type stream struct {
	apdu.SharedState
	atr  []byte
	rest []byte
	sent int
}

func newStream(b []byte) *stream {
	s := &stream{rest: b}
	s.atr, _ = s.block()
	return s
}

func (s *stream) block() ([]byte, bool) {
	if len(s.rest) < 2 {
		return nil, false
	}
	n := int(binary.LittleEndian.Uint16(s.rest))
	b := s.rest[2:]
	n = min(n, len(b))
	s.rest = b[n:]
	return b[:n:n], true
}

func (s *stream) Readers(context.Context) ([]string, error) { return []string{reader}, nil }
func (s *stream) Connect(context.Context, string) (apdu.Transport, error) {
	return s, nil
}
func (s *stream) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		if yield(apdu.Event{Reader: reader, Present: true, ATR: s.atr, Count: 1, Initial: true, Settled: true}, nil) {
			<-ctx.Done()
		}
	}
}
func (s *stream) Info() apdu.Info { return apdu.Info{Reader: reader, ATR: s.atr, Protocol: apdu.T1} }
func (s *stream) Close() error    { return nil }
func (s *stream) Transmit(context.Context, []byte) ([]byte, error) {
	s.sent++
	if b, ok := s.block(); ok {
		return b, nil
	}
	return []byte{0x6D, 0x00}, nil
}

// appendBlock adds a block to a stream.
func appendBlock(b, block []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(block))), block...)
}

// recorded is the stream of what a card answers to everything.
func recorded(f *testing.F, card *virtual.Card, prepare func(m *cryptoki.Module)) []byte {
	f.Helper()
	readers := virtual.Single(card)
	first := must(cryptoki.Open(f.Context(), cryptoki.WithProvider(readers)))(f)
	prepare(first)
	first.Close()
	b := appendBlock(nil, card.ATR())
	r := rig{card: card}
	r.answers(func(_, answer []byte) []byte {
		b = appendBlock(b, answer)
		return answer
	})
	m := must(cryptoki.Open(f.Context(), cryptoki.WithProvider(newWire(readers))))(f)
	defer m.Close()
	everything(f, m)
	return b
}

// everything does with a card what can be done, and passes over errors.
func everything(t testing.TB, m *cryptoki.Module) {
	ctx := t.Context()
	check := func(err error) error {
		var e *ckr.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%T is no *ckr.Error: %v", err, err)
		}
		return err
	}
	slots, err := m.Slots(ctx, false)
	if check(err) != nil || len(slots) == 0 {
		return
	}
	tok, err := slots[0].Token(ctx)
	if check(err) != nil {
		return
	}
	tok.Info(ctx)
	s, err := session.Open(ctx, tok, session.ReadWrite())
	if check(err) != nil {
		return
	}
	defer s.Close()
	check(s.Login(ctx, token.User, pin(userPIN)))
	n := 0
	for o, err := range s.Find(ctx) {
		if check(err) != nil || n > 100 {
			break
		}
		n++
		s.Attributes(ctx, o)
		s.Mechanisms(ctx, o)
		s.PublicKey(ctx, o)
		if o.Class() == object.ClassPrivateKey {
			for _, m := range []mechanism.Mechanism{mechanism.ECDSA{}, mechanism.RSAPKCS{}, mechanism.RSAPSS{Digested: true, Hash: 5}} {
				_, err := s.Sign(ctx, m, o, make([]byte, 32))
				check(err)
			}
			_, err := s.Decrypt(ctx, mechanism.RSAPKCS{}, o, make([]byte, 256))
			check(err)
		}
	}
	_, err = s.Create(ctx, data("new", true)...)
	check(err)
	_, err = s.Random(ctx, 16)
	check(err)
	_, _, err = s.GenerateKeyPair(ctx, mechanism.ECKeyPairGen{}, object.Template{object.AttrToken.Is(true), object.AttrECParams.Is(p256)}, object.Template{object.AttrToken.Is(true)})
	check(err)
	check(s.SetPIN(ctx, pin(userPIN), pin(newPIN)))
}

// FuzzStack gives the whole library a stream of answers: it may not panic, it
// ends, and its errors have codes.
func FuzzStack(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendBlock(nil, virtual.New().ATR()))
	f.Add(appendBlock(nil, virtual.NISTPIV().ATR))
	f.Add(recorded(f, virtual.New(), func(m *cryptoki.Module) {
		s := must(m.Slots(f.Context(), true))(f)
		tok := must(s[0].Token(f.Context()))(f)
		if err := tok.Initialize(f.Context(), pin(soPIN), "fuzz"); err != nil {
			f.Fatal(err)
		}
		rw := must(session.Open(f.Context(), tok, session.ReadWrite()))(f)
		for _, err := range []error{
			rw.Login(f.Context(), token.SO, pin(soPIN)), rw.InitPIN(f.Context(), pin(userPIN)), rw.Logout(f.Context()), rw.Login(f.Context(), token.User, pin(userPIN)),
		} {
			if err != nil {
				f.Fatal(err)
			}
		}
		common := object.Template{object.AttrToken.Is(true), object.AttrLabel.Is("k"), object.AttrID.Is([]byte("k"))}
		if _, _, err := rw.GenerateKeyPair(f.Context(), mechanism.ECKeyPairGen{}, common.With(object.AttrECParams.Is(p256)), common); err != nil {
			f.Fatal(err)
		}
		must(rw.Create(f.Context(), data("public", false)...))(f)
	}))
	f.Add(recorded(f, virtual.New(virtual.WithPIV(virtual.NISTPIV())), func(*cryptoki.Module) {}))
	f.Fuzz(func(t *testing.T, b []byte) {
		start := time.Now()
		s := newStream(b)
		m := must(cryptoki.Open(t.Context(), cryptoki.WithProvider(s)))(t)
		everything(t, m)
		m.Close()
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("%v", d)
		}
		if s.sent > 20000 {
			t.Errorf("%d commands for %d bytes", s.sent, len(b))
		}
	})
}
