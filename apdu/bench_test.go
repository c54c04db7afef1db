package apdu

import (
	"context"
	"testing"
)

// instant answers at once.
type instant struct{ answer []byte }

func (i instant) Transmit(context.Context, []byte) ([]byte, error) { return i.answer, nil }
func (instant) Info() Info                                         { return Info{Protocol: T1} }
func (instant) Close() error                                       { return nil }

func BenchmarkDo(b *testing.B) {
	for name, ctx := range map[string]context.Context{"inline": context.Background(), "cancellable": cancellable(b)} {
		b.Run(name, func(b *testing.B) {
			c := dial(b, instant{unhex("0102030405060708 9000")})
			b.ReportAllocs()
			c.Exclusive(ctx, nil, func(ctx context.Context, tx *Tx) error {
				for b.Loop() {
					if _, err := tx.Do(ctx, Command{INS: 0xB0, Le: 8}); err != nil {
						b.Fatal(err)
					}
				}
				return nil
			})
		})
	}
}

func BenchmarkExclusive(b *testing.B) {
	for name, ctx := range map[string]context.Context{"inline": context.Background(), "cancellable": cancellable(b)} {
		b.Run(name, func(b *testing.B) {
			c := dial(b, instant{unhex("9000")})
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Exclusive(ctx, aid, nothing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
