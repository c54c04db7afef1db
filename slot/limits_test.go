package slot_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token/driver"
)

// plain is a Provider of one reader with a card that knows nothing but
// EF.ATR/INFO.
type plain struct {
	apdu.Anchor
	info  apdu.Info
	efATR []byte
	seen  [][]byte
}

func (p *plain) Readers(context.Context) ([]string, error) { return []string{"R"}, nil }

func (p *plain) Connect(context.Context, string) (apdu.Transport, error) { return p, nil }

func (p *plain) Watch(context.Context) iter.Seq2[apdu.Event, error] {
	return func(yield func(apdu.Event, error) bool) {
		yield(apdu.Event{Reader: "R", Present: true, ATR: p.info.ATR, Count: 1, Initial: true, Settled: true}, nil)
	}
}

func (p *plain) Transmit(_ context.Context, command []byte) ([]byte, error) {
	p.seen = append(p.seen, bytes.Clone(command))
	switch {
	case p.efATR == nil:
		return []byte{0x6A, 0x82}, nil
	case command[1] == 0xA4:
		return []byte{0x90, 0x00}, nil
	}
	return append(bytes.Clone(p.efATR), 0x62, 0x82), nil
}

func (p *plain) Info() apdu.Info { return p.info }
func (p *plain) Close() error    { return nil }

func TestLimitsOfTheCardAreReadWhereTheyMatter(t *testing.T) {
	extended := []byte{0x3B, 0x85, 0x01, 0x80, 0x73, 0x00, 0x00, 0xE0, 0x96}
	silent := []byte{0x3B, 0x85, 0x01, 0x80, 0x73, 0x00, 0x00, 0xC0, 0xB6}
	short := []byte{0x3B, 0x85, 0x01, 0x80, 0x73, 0x00, 0x00, 0x80, 0xF6}
	lengths := []byte{0x7F, 0x66, 0x08, 0x02, 0x02, 0x08, 0x00, 0x02, 0x02, 0x04, 0x00}
	for _, test := range []struct {
		name     string
		info     apdu.Info
		efATR    []byte
		most     int
		commands int
	}{
		{"both do extended lengths", apdu.Info{ATR: extended, Protocol: apdu.T1, MaxCommand: 65544}, lengths, 0x800, 2},
		{"no such file", apdu.Info{ATR: extended, Protocol: apdu.T1, MaxCommand: 65544}, nil, 0, 1},
		{"nonsense in the file", apdu.Info{ATR: extended, Protocol: apdu.T1, MaxCommand: 65544}, []byte{0x7F, 0x66, 0x09}, 0, 2},
		{"the card does not say that it tells", apdu.Info{ATR: silent, Protocol: apdu.T1, MaxCommand: 65544}, lengths, 0, 0},
		{"the card does not", apdu.Info{ATR: short, Protocol: apdu.T1, MaxCommand: 65544}, lengths, 0, 0},
		{"the reader does not", apdu.Info{ATR: extended, Protocol: apdu.T1}, lengths, 0, 0},
		{"the protocol does not", apdu.Info{ATR: extended, Protocol: apdu.T0, MaxCommand: 65544}, lengths, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &plain{info: test.info, efATR: test.efATR}
			most := -1
			d := driver.Driver{Name: "limits", Probe: func(_ context.Context, c *apdu.Conn) ([]driver.Backend, error) {
				most = c.Capabilities().MaxCommand
				return nil, nil
			}}
			l := slot.NewList(p, []driver.Driver{d})
			defer l.Close()
			_, err := l.Slots(t.Context(), false)
			must(t, err)
			got := fmt.Sprint(most, len(p.seen))
			if diff := cmp.Diff(fmt.Sprint(test.most, test.commands), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
