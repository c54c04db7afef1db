package apdu

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

var (
	chaining = Capabilities{Known: true, Chaining: true}
	extended = Capabilities{Known: true, Extended: true}
	both     = Capabilities{Known: true, Chaining: true, Extended: true}
	neither  = Capabilities{Known: true}
	unknown  = Capabilities{}
)

// echo is a card that answers a whole command with its data, cut to Le, and
// understands what it is told to.
type echo struct {
	caps     Capabilities
	extended int // APDUs seen
	chain    []byte
	pending  []byte
	t0       bool
}

func (e *echo) answer(_ context.Context, command []byte) ([]byte, error) {
	cmd, err := ParseCommand(command)
	if err != nil {
		return unhex("6700"), nil
	}
	if IsExtended(command) {
		e.extended++
		if !e.caps.Extended {
			return unhex("6700"), nil
		}
	} else if len(command) > shortCommand {
		return unhex("6700"), nil
	}
	if e.t0 && len(cmd.Data) > 0 && cmd.Le > 0 {
		return unhex("6700"), nil
	}
	if cmd.INS == insGetResponse {
		return e.respond(cmd.Le), nil
	}
	e.chain = append(e.chain, cmd.Data...)
	if cmd.CLA&claChain != 0 {
		if !e.caps.Chaining {
			e.chain = nil
			return unhex("6884"), nil
		}
		return unhex("9000"), nil
	}
	e.pending, e.chain = e.chain, nil
	if e.t0 && len(cmd.Data) > 0 {
		return e.respond(0), nil
	}
	return e.respond(cmd.Le), nil
}

func (e *echo) respond(le int) []byte {
	n := min(le, len(e.pending))
	r := bytes.Clone(e.pending[:n])
	e.pending = e.pending[n:]
	switch left := len(e.pending); {
	case left == 0:
		return append(r, 0x90, 0x00)
	case left > 255:
		return append(r, 0x61, 0x00)
	default:
		return append(r, 0x61, byte(left))
	}
}

// F1, F3, F4: every size on every pair of card and reader that carries it.
func TestEverySizeFindsItsWay(t *testing.T) {
	sizes := []int{1, 2, 253, 254, 255, 256, 257, 258, 260, 261, 262, 300, 510, 511, 512, 520, 1023, 1024, 1025, 2048, 4095, 65279, 65280, 65534, 65535}
	tests := []struct {
		name                    string
		card, told              Capabilities
		maxCommand, maxResponse int
		protocol                Protocol
		most                    int  // data bytes that pass
		extended                bool // extended APDUs may be seen
	}{
		{"all short, chaining", chaining, chaining, 0, 0, T1, 65535, false},
		{"card silent about chaining", chaining, unknown, 65544, 65538, T1, 65535, false},
		{"extended", extended, extended, 65544, 65538, T1, 65535, true},
		{"extended, both", both, both, 65544, 65538, T1, 65535, true},
		{"extended, reader of 2048", both, both, 2048, 2048, T1, 65535, true},
		{"extended, reader of 2048, no chaining", extended, extended, 2048, 2048, T1, 2039, true},
		{"extended, reader says nothing", both, both, 0, 0, T1, 65535, false},
		{"card of 1024", both, Capabilities{Known: true, Chaining: true, Extended: true, MaxCommand: 1024, MaxResponse: 512}, 65544, 65538, T1, 65535, true},
		{"card boasts of extended", chaining, both, 65544, 65538, T1, 65535, true},
		{"neither", neither, neither, 65544, 65538, T1, 255, false},
		{"silent and poor", neither, unknown, 65544, 65538, T1, 255, false},
		{"T=0", both, both, 65544, 65538, T0, 65535, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &echo{caps: tt.card, t0: tt.protocol == T0}
			k := newCard(t, e.answer)
			k.info.MaxCommand, k.info.MaxResponse, k.info.Protocol = tt.maxCommand, tt.maxResponse, tt.protocol
			c := dial(t, k, WithCapabilities(tt.told))
			for _, n := range sizes {
				for _, le := range []int{256, 65536, n} {
					data, err := do(context.Background(), c, Command{INS: 0xDA, Data: repeat(n), Le: le})
					if n > tt.most {
						if !errors.Is(err, ErrTooLong) {
							t.Fatalf("%d bytes: %v", n, err)
						}
						continue
					}
					if err != nil || !bytes.Equal(data, repeat(n)) {
						t.Fatalf("%d bytes, Le %d: %d bytes, %v", n, le, len(data), err)
					}
				}
			}
			if e.extended > 0 && !tt.extended {
				t.Errorf("%d extended APDUs", e.extended)
			}
			if c.Epoch() != 1 {
				t.Errorf("epoch %d", c.Epoch())
			}
		})
	}
}

func TestCardThatRefusesExtendedIsRemembered(t *testing.T) {
	e := &echo{caps: chaining}
	k := newCard(t, e.answer)
	k.info.MaxCommand, k.info.MaxResponse = 65544, 65538
	c := dial(t, k, WithCapabilities(both))
	for range 3 {
		if _, err := do(context.Background(), c, Command{INS: 0xDA, Data: repeat(300), Le: 256}); err != nil {
			t.Fatal(err)
		}
	}
	if e.extended != 1 {
		t.Errorf("%d extended APDUs, want the one that was refused", e.extended)
	}
}

func TestWrongLengthBothWaysIsWrongLength(t *testing.T) {
	k := newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
		if command[0]&claChain != 0 {
			return unhex("9000"), nil
		}
		return unhex("6700"), nil
	})
	k.info.MaxCommand, k.info.MaxResponse = 65544, 65538
	c := dial(t, k, WithCapabilities(both))
	if _, err := do(context.Background(), c, Command{INS: 0xDA, Data: repeat(300)}); !errors.Is(err, SWWrongLength) {
		t.Errorf("error %v", err)
	}
	if !c.Capabilities().Extended {
		t.Error("the card's extended lengths were forgotten")
	}
}

func TestGarbledExtendedAnswerEndsExtendedLengths(t *testing.T) {
	k := newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
		if IsExtended(command) {
			return make([]byte, 20), nil
		}
		return unhex("9000"), nil
	})
	k.info.MaxCommand, k.info.MaxResponse = 65544, 65538
	c := dial(t, k, WithCapabilities(both))
	cmd := Command{INS: 0xDA, Data: repeat(300)}
	if _, err := do(context.Background(), c, cmd); !errors.Is(err, ErrLink) {
		t.Errorf("error %v", err)
	}
	if _, err := do(context.Background(), c, cmd); err != nil {
		t.Errorf("second time: %v", err)
	}
}

func TestChainHasLeInItsLastPartOnly(t *testing.T) {
	part := func(n int) string { return hexOf(repeat(510)[n*255 : n*255+255]) }
	c := dial(t, script(t,
		"10DA0102FF"+part(0)+"> 9000",
		"00DA0102FF"+part(1)+"00 > 9000",
		"10DA0102FF"+part(0)+"> 6A80",
	), WithCapabilities(chaining))
	cmd := Command{INS: 0xDA, P1: 1, P2: 2, Data: repeat(510), Le: 256}
	if _, err := do(context.Background(), c, cmd); err != nil {
		t.Error(err)
	}
	if _, err := do(context.Background(), c, cmd); !errors.Is(err, SWWrongData) {
		t.Errorf("refused part: %v", err)
	}
}

func TestCaseOneOverT0HasThirdParameter(t *testing.T) {
	k := script(t, "0020000100 > 63C3", "00B0000008 > 6C02", "00B0000002 > 0102 9000")
	k.info.Protocol = T0
	c := dial(t, k)
	if _, err := do(context.Background(), c, Command{INS: 0x20, P2: 1}); !errors.Is(err, SWTriesLeft) {
		t.Error(err)
	}
	if _, err := do(context.Background(), c, Command{INS: 0xB0, Le: 8}); err != nil {
		t.Error(err)
	}
}

func TestImpossibleCommandsAreNotSent(t *testing.T) {
	c := dial(t, script(t))
	for _, cmd := range []Command{{Le: -1}, {Le: 65537}, {Data: make([]byte, 65536)}} {
		if _, err := do(context.Background(), c, cmd); !errors.Is(err, ErrTooLong) {
			t.Errorf("%v: %v", cmd, err)
		}
	}
}
