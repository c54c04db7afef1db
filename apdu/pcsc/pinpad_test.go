package pcsc

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/pcsc/internal/winscard"
)

// Control codes of the reader of these tests.
const (
	codeVerify     = 0x42330006
	codeModify     = 0x42330007
	codeProperties = 0x42330012
)

// driver is a reader's driver with part 10 controls.
type driver struct {
	features   string
	properties string
	answer     []byte
	err        error
	code       uint32
	request    []byte
}

func (d *driver) control(code uint32, in []byte) ([]byte, error) {
	switch code {
	case getFeatures:
		return unhex(d.features), nil
	case codeProperties:
		return unhex(d.properties), nil
	}
	d.code, d.request = code, in
	return d.answer, d.err
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

const allFeatures = "06 04 42330006 07 04 42330007 12 04 42330012"

func padConn(t *testing.T, d *driver) *apdu.Conn {
	t.Helper()
	f := newFakeService(present("R", 1))
	f.control = d.control
	c := apdu.NewConn(connect(t, f))
	t.Cleanup(func() { c.Close() })
	return c
}

// onPad runs f with the keys of a reader.
func onPad(t *testing.T, c *apdu.Conn, f func(p apdu.PINPad) error) error {
	t.Helper()
	return c.Exclusive(t.Context(), nil, func(ctx context.Context, tx *apdu.Tx) error {
		p, ok := tx.PINPad()
		if !ok {
			t.Fatal("the reader has no keys")
		}
		return f(p)
	})
}

var verifyBlock = apdu.PINBlock{
	Command: apdu.Command{INS: 0x20, P2: 0x01, Data: unhex("FFFFFFFFFFFFFFFF")},
	Min:     4, Max: 8, BlockSize: 8, RetryHints: true,
}

func TestVerifyIsAskedOfTheReader(t *testing.T) {
	d := &driver{features: allFeatures, answer: unhex("9000")}
	err := onPad(t, padConn(t, d), func(p apdu.PINPad) error {
		sw, err := p.Verify(t.Context(), verifyBlock)
		if sw != 0x9000 {
			t.Errorf("status %v", sw)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.code != codeVerify {
		t.Errorf("control code %08X", d.code)
	}
	want := unhex("1E 1E 82 08 10 0804 02 01 0904 00 000000 0D000000 0020000108 FFFFFFFFFFFFFFFF")
	if diff := cmp.Diff(want, d.request); diff != "" {
		t.Error(diff)
	}
}

func TestModifyIsAskedOfTheReader(t *testing.T) {
	d := &driver{features: allFeatures, answer: unhex("9000")}
	c := padConn(t, d)
	block := verifyBlock
	block.Command.INS = 0x24
	for _, test := range []struct {
		name string
		old  bool
		want string
	}{
		{"a new PIN", false, "1E 1E 82 08 10 00 00 0804 01 02 02 0904 01 02 02 000000 0D000000 0024000108 FFFFFFFFFFFFFFFF"},
		{"old and new PIN", true, "1E 1E 82 08 10 00 08 0804 03 02 03 0904 00 01 02 000000 15000000 0024000110 FFFFFFFFFFFFFFFF FFFFFFFFFFFFFFFF"},
	} {
		b := block
		if test.old {
			b.OldAndNew, b.NewOffset = true, 8
			b.Command.Data = append(b.Command.Data[:8:8], b.Command.Data...)
		}
		err := onPad(t, c, func(p apdu.PINPad) error {
			_, err := p.Modify(t.Context(), b)
			return err
		})
		if diff := cmp.Diff(unhex(test.want), d.request); diff != "" || err != nil || d.code != codeModify {
			t.Errorf("%s: %v, code %08X\n%s", test.name, err, d.code, diff)
		}
	}
}

func TestWhatTheReaderAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer string
		err    error
		want   apdu.Status
		fails  error
	}{
		{"timeout", "6400", nil, 0x6400, nil},
		{"cancelled", "6401", nil, 0x6401, nil},
		{"wrong PIN", "63C2", nil, 0x63C2, nil},
		{"nothing", "", nil, 0, apdu.ErrLink},
		{"too much", "019000", nil, 0, apdu.ErrLink},
		{"pulled", "", winscard.RemovedCard, 0, apdu.ErrRemoved},
		{"reset", "", winscard.ResetCard, 0, apdu.ErrReset},
	} {
		d := &driver{features: allFeatures, answer: unhex(test.answer), err: test.err}
		err := onPad(t, padConn(t, d), func(p apdu.PINPad) error {
			sw, err := p.Verify(t.Context(), verifyBlock)
			if sw != test.want {
				t.Errorf("%s: status %v", test.name, sw)
			}
			return err
		})
		if !errors.Is(err, test.fails) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestBlocksThatNoReaderFills(t *testing.T) {
	d := &driver{features: allFeatures, answer: unhex("9000")}
	c := padConn(t, d)
	for name, change := range map[string]func(*apdu.PINBlock){
		"no block":         func(b *apdu.PINBlock) { b.BlockSize = 0 },
		"a large block":    func(b *apdu.PINBlock) { b.BlockSize = 16 },
		"lengths reversed": func(b *apdu.PINBlock) { b.Min = 9 },
		"before the data":  func(b *apdu.PINBlock) { b.Offset = -1 },
		"far away":         func(b *apdu.PINBlock) { b.Offset = 16 },
	} {
		b := verifyBlock
		change(&b)
		err := onPad(t, c, func(p apdu.PINPad) error {
			_, err := p.Verify(t.Context(), b)
			return err
		})
		if err == nil || d.request != nil {
			t.Errorf("%s: %v, asked %X", name, err, d.request)
		}
	}
}

func TestKeysOnlyWhereTheReaderHasThem(t *testing.T) {
	for features, want := range map[string]bool{
		"":                           false,
		"06 04 42330006":             true,
		"06 04 42330006 12":          true,
		"07 04 42330007":             false,
		"06 03 423300":               false,
		"06 04 4233":                 false,
		"20 02 AABB 06 04 42330006":  true,
		"20 FF AABB 06 04 42330006":  false,
		"06 04 00000000":             false,
		"01 04 42330001 02 04 42330": false,
	} {
		if len(strings.ReplaceAll(features, " ", ""))%2 != 0 {
			features += "0"
		}
		c := padConn(t, &driver{features: features})
		err := c.Exclusive(t.Context(), nil, func(_ context.Context, tx *apdu.Tx) error {
			if _, ok := tx.PINPad(); ok != want {
				t.Errorf("%s: %v", features, ok)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestLimitsOfReaders(t *testing.T) {
	for properties, want := range map[string][2]int{
		"":                    {0, 0},
		"0A 04 00000000":      {0, 0},
		"0A 04 00010000":      {0, 0},
		"0A 04 00080000":      {2048, 2048},
		"0A 04 00000100":      {65544, 65538},
		"0A 04 FFFFFFFF":      {65544, 65538},
		"06 01 04 0A 02 0008": {2048, 2048},
		"0A 04 0008":          {0, 0},
		"0A":                  {0, 0},
	} {
		info := padConn(t, &driver{features: allFeatures, properties: properties}).Info()
		if got := [2]int{info.MaxCommand, info.MaxResponse}; got != want {
			t.Errorf("%s: %v, want %v", properties, got, want)
		}
	}
}

// The reader's keys may take fewer digits than the card.
func TestLimitsOfKeys(t *testing.T) {
	d := &driver{features: allFeatures, properties: "06 01 05 07 01 06", answer: unhex("9000")}
	err := onPad(t, padConn(t, d), func(p apdu.PINPad) error {
		_, err := p.Verify(t.Context(), verifyBlock)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if lo, hi := d.request[6], d.request[5]; lo != 5 || hi != 6 {
		t.Errorf("%d to %d digits", lo, hi)
	}
}

// FuzzFeatures reads any bytes as features and as properties.
func FuzzFeatures(f *testing.F) {
	f.Add(unhex(allFeatures))
	f.Add(unhex("0A 04 00000100"))
	f.Fuzz(func(t *testing.T, b []byte) {
		parseFeatures(b)
		var r features
		r.read(b)
		if c, a := r.limits(); c < 0 || a < 0 || c > winscard.MaxBuffer || a > winscard.MaxBuffer {
			t.Errorf("%d, %d", c, a)
		}
	})
}
