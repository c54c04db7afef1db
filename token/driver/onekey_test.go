package driver_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"iter"
	"sync"
	"testing"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/conformance"
	"github.com/go-cryptoki/cryptoki/token"
)

// onekeyReader is a reader with a card of one key in it, and the card.
type onekeyReader struct {
	apdu.Anchor
	mu       sync.Mutex
	key      *ecdsa.PrivateKey
	tries    byte
	selected bool
	verified bool
}

func newOnekeyReader() *onekeyReader {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return &onekeyReader{key: key, tries: 3}
}

func (r *onekeyReader) Readers(context.Context) ([]string, error) { return []string{"reader"}, nil }

func (r *onekeyReader) Connect(context.Context, string) (apdu.Transport, error) { return r, nil }

func (r *onekeyReader) Watch(ctx context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		if yield(apdu.Event{Reader: "reader", Present: true, ATR: r.Info().ATR, Count: 1, Initial: true, Settled: true}, nil) {
			<-ctx.Done()
		}
	}
}

func (r *onekeyReader) Info() apdu.Info {
	return apdu.Info{Reader: "reader", ATR: []byte{0x3B, 0x80, 0x01, 0x81}, Protocol: apdu.T1}
}

func (r *onekeyReader) Close() error { return nil }

// Transmit is the card.
func (r *onekeyReader) Transmit(_ context.Context, c []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var data []byte
	if len(c) > 5 {
		data = c[5 : 5+int(c[4])]
	}
	switch {
	case c[1] == 0xA4:
		r.selected = bytes.Equal(data, onekeyAID)
		r.verified = false
		if !r.selected {
			return []byte{0x6A, 0x82}, nil
		}
		return []byte{0x90, 0x00}, nil
	case !r.selected:
		return []byte{0x69, 0x85}, nil
	case c[1] == 0xCA:
		point, err := r.key.PublicKey.Bytes()
		return append(point, 0x90, 0x00), err
	case c[1] == 0x20 && c[2] == 0xFF:
		r.verified = false
		return []byte{0x90, 0x00}, nil
	case c[1] == 0x20 && r.tries == 0:
		return []byte{0x63, 0xC0}, nil
	case c[1] == 0x20 && string(data) != "123456":
		r.tries--
		r.verified = false
		return []byte{0x63, 0xC0 | r.tries}, nil
	case c[1] == 0x20:
		r.verified, r.tries = true, 3
		return []byte{0x90, 0x00}, nil
	case c[1] == 0x2A && r.verified:
		sig, err := ecdsa.SignASN1(rand.Reader, r.key, data)
		return append(sig, 0x90, 0x00), err
	case c[1] == 0x2A:
		return []byte{0x69, 0x82}, nil
	}
	return []byte{0x6D, 0x00}, nil
}

// TestExampleDriverConforms runs what is asked of every token on the one of the
// example, and what is asked of tokens whose keys are there.
func TestExampleDriverConforms(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		m, err := cryptoki.Open(t.Context(), cryptoki.WithProvider(newOnekeyReader()), cryptoki.WithDrivers(onekeyDriver))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return conformance.Fixture{
			Token: conformance.TokenIn(t, m, "reader"), UserPIN: "123456", OtherPIN: "654321", Keys: 1,
			Another: func(t *testing.T) token.Token {
				other, err := m.Application(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { other.Close() })
				return conformance.TokenIn(t, other, "reader")
			},
		}
	})
}
