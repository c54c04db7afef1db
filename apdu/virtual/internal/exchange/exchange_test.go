package exchange_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"
)

// echo is an application that answers with the body, up to 600 bytes, of which
// it writes every one. 02 may be chained.
type echo struct {
	exchange.Line
	given   []byte // the body as it was lent
	commits int
	full    error
}

func (a *echo) process(raw []byte) []byte {
	m, sw := exchange.Parse(raw, false)
	if sw == apdu.OK {
		sw = exchange.CheckClass(m.CLA)
	}
	return a.Line.Process(m, sw, a.execute, a.commit)
}

func (a *echo) execute(m *exchange.Command) ([]byte, apdu.Status) {
	const max = 600
	switch {
	case m.INS == 0xC0:
		return a.GetResponse(m)
	case m.More() && m.INS != 0x02:
		a.GiveUp()
		return nil, apdu.SWChainingNotSupported
	case m.More():
		return nil, a.Keep(m, max)
	}
	defer a.GiveUp()
	if sw := a.Join(m, max); sw != apdu.OK {
		return nil, sw
	}
	a.given = m.Data
	for range m.Data {
		a.Wrote()
	}
	return bytes.Clone(m.Data), apdu.OK
}

func (a *echo) commit() error { a.commits++; return a.full }

// short is a command with n bytes, all 5A, and Le unless it is negative.
func short(header string, n, le int) string {
	var b []byte
	if n > 0 {
		b = append([]byte{byte(n)}, bytes.Repeat([]byte{0x5A}, n)...)
	}
	if le >= 0 {
		b = append(b, byte(le))
	}
	return header + hex.EncodeToString(b)
}

// say gives commands to the application; the answers must begin with so many
// bytes of 5A and end with a status word.
func (a *echo) say(t *testing.T, steps ...step) {
	t.Helper()
	for i, s := range steps {
		raw, err := hex.DecodeString(s.command)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Repeat("5a", s.bytes) + s.sw
		if got := hex.EncodeToString(a.process(raw)); got != want {
			t.Errorf("step %d: %s, want %s", i, got, want)
		}
	}
}

type step struct {
	command string
	bytes   int
	sw      string
}

func TestALongAnswerIsFetchedInParts(t *testing.T) {
	var a echo
	a.say(t,
		step{short("10020000", 255, -1), 0, "9000"},
		step{short("10020000", 255, -1), 0, "9000"},
		step{short("00020000", 90, 0), 256, "6100"},
		step{short("00c00100", 0, 0), 0, "6a86"}, // which changes nothing
		step{short("00c00000", 0, 100), 100, "61f4"},
		step{short("00c00000", 0, 0), 244, "9000"},
		step{short("00c00000", 0, 0), 0, "6985"},
		step{short("00010000", 20, -1), 0, "9000"}, // nothing was asked for
		step{short("00c00000", 0, 0), 0, "6985"},
	)
}

func TestTheRestOfAnAnswerIsLostWithTheNextCommand(t *testing.T) {
	for _, next := range []string{short("00010000", 1, -1), "00", "80c0000000", short("10010000", 1, -1)} {
		var a echo
		a.say(t, step{short("00010000", 20, 8), 8, "610c"})
		raw, _ := hex.DecodeString(next)
		a.process(raw)
		a.say(t, step{short("00c00000", 0, 0), 0, "6985"})
	}
}

func TestACommandMayComeInParts(t *testing.T) {
	var a echo
	first := step{short("10020102", 8, -1), 0, "9000"}
	a.say(t, first, first, step{short("00020102", 4, 0), 20, "9000"})
	if !bytes.Equal(a.given, make([]byte, 20)) {
		t.Errorf("the parts were not cleared: %x", a.given)
	}
	for _, other := range []string{"00010102", "00020002", "00020101"} {
		a.say(t, first, step{short(other, 4, 0), 4, "9000"}, step{short("00020102", 4, 0), 4, "9000"})
	}
	// Another chain begins anew.
	a.say(t, first, step{short("10020000", 3, -1), 0, "9000"}, step{short("00020000", 4, 0), 7, "9000"})
	a.say(t, first, step{short("10010102", 3, -1), 0, "6884"}, step{short("00020102", 4, 0), 4, "9000"})
	// The power went.
	a.say(t, first)
	a.Reset()
	a.say(t, step{short("00020102", 4, 0), 4, "9000"})
}

func TestTheBodyOfAChainIsBounded(t *testing.T) {
	var a echo
	part := step{short("10020000", 200, -1), 0, "9000"}
	a.say(t, part, part, part, step{short("10020000", 1, -1), 0, "6700"}, step{short("00020000", 4, 0), 4, "9000"})
	a.say(t, part, part, part, step{short("00020000", 1, 0), 0, "6700"}, step{short("00020000", 4, 0), 4, "9000"})
}

func TestTheClassIsChecked(t *testing.T) {
	for cla, want := range map[byte]apdu.Status{
		0x00: 0x9000, 0x10: 0x9000, 0x04: 0x6882, 0x0C: 0x6882, 0x01: 0x6881, 0x13: 0x6881, 0x40: 0x6881, 0x7F: 0x6881,
		0x20: 0x6E00, 0x80: 0x6E00, 0xA0: 0x6E00, 0xFF: 0x6E00,
	} {
		if got := exchange.CheckClass(cla); got != want {
			t.Errorf("class %02X: %04X, want %04X", cla, uint16(got), uint16(want))
		}
	}
}

func TestExtendedLengthsAreForCardsThatTakeThem(t *testing.T) {
	long, _ := hex.DecodeString("00cb3fff000001aa0000")
	if _, sw := exchange.Parse(long, false); sw != apdu.SWWrongLength {
		t.Errorf("status %v", sw)
	}
	m, sw := exchange.Parse(long, true)
	if sw != apdu.OK || m.Le != 65536 || m.P1P2() != 0x3FFF || m.More() || !bytes.Equal(m.Data, []byte{0xAA}) {
		t.Errorf("%v, status %v", m, sw)
	}
	for _, bad := range []string{"", "00a404", "00a4040000ff", "00a4040002aa", "00a404000001"} {
		raw, _ := hex.DecodeString(bad)
		if _, sw := exchange.Parse(raw, true); sw != apdu.SWWrongLength {
			t.Errorf("%s: status %v", bad, sw)
		}
	}
}

func TestWhatCannotBeKeptHasNotHappened(t *testing.T) {
	a := echo{full: errors.New("full")}
	a.say(t, step{short("00010000", 20, 0), 0, "6581"})
	a.say(t, step{"00", 0, "6700"}) // nothing was executed
	if a.commits != 1 {
		t.Errorf("%d commits", a.commits)
	}
}

func TestWhatWasWrittenBeforeThePowerFailedIsKept(t *testing.T) {
	var a echo
	a.FailAfter(3)
	raw, _ := hex.DecodeString(short("00010000", 4, 0))
	if got := a.process(raw); got != nil || a.commits != 1 {
		t.Errorf("answer %x, %d commits", got, a.commits)
	}
	a.FailAfter(3)
	a.say(t, step{"00", 0, "6700"}, step{short("00010000", 4, 0), 4, "9000"}) // it is for the next command alone
}
