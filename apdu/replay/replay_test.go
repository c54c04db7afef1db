package replay

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// all are the transcripts in testdata.
func all(t *testing.T) map[string]*Transcript {
	names, err := filepath.Glob("testdata/*/*.jsonl")
	if err != nil || len(names) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	ts := map[string]*Transcript{}
	for _, name := range names {
		transcript, err := ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		ts[filepath.Base(name)] = transcript
	}
	return ts
}

// say sends the commands of a transcript through a Conn.
func say(ctx context.Context, conn *apdu.Conn, commands []Exchange, f func(i int, data []byte, err error)) error {
	return conn.Exclusive(ctx, nil, func(ctx context.Context, tx *apdu.Tx) error {
		for i, e := range commands {
			cmd, err := apdu.ParseCommand(e.Command)
			if err != nil {
				return err
			}
			data, err := tx.Do(ctx, cmd)
			f(i, data, err)
		}
		return nil
	})
}

func dial(t *testing.T, p *Player, opts ...apdu.Option) *apdu.Conn {
	conn, err := apdu.Dial(t.Context(), p, p.Reader(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestRecordedIsPlayedIsRecorded(t *testing.T) {
	for name, transcript := range all(t) {
		t.Run(name, func(t *testing.T) {
			if transcript.Head.Exchanges != len(transcript.Exchanges) || transcript.Head.Card != "OsEID" {
				t.Errorf("head %+v of %d exchanges", transcript.Head, len(transcript.Exchanges))
			}
			player := NewPlayer(transcript)
			recorder := NewRecorder(transcript.Head, WithPINs())
			conn := dial(t, player, apdu.WithTrace(recorder.Trace))
			err := say(t.Context(), conn, transcript.Exchanges, func(i int, data []byte, err error) {
				want := transcript.Exchanges[i].Response
				sw := apdu.OK
				if err != nil && !errors.As(err, &sw) {
					t.Errorf("exchange %d: %v", i, err)
				}
				if got := append(data, sw.SW1(), sw.SW2()); sw == apdu.OK && !bytes.Equal(got, want) {
					t.Errorf("exchange %d: %X, want %X", i, got, want)
				}
			})
			if err == nil {
				err = player.Done()
			}
			if err != nil {
				t.Error(err)
			}
			got := recorder.Transcript()
			got.Head.Exchanges = transcript.Head.Exchanges
			if diff := cmp.Diff(transcript, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrittenIsRead(t *testing.T) {
	for name, transcript := range all(t) {
		var b bytes.Buffer
		if err := Write(&b, transcript); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(transcript, again); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

const small = `{"card":"Test","atr":"3b00","resets_before_exchange":[0,2],"unknown":1}

{"c":"00a40400","r":"9000"}
{"c":"00B0000002","r":"01026101"}
{"c":"00c0000000","r":"039000"}
{"c":"0020000104ffffffff","r":"9000","hidden":true}
{"c":"00d6000001aa","error":"removed"}
`

func read(t *testing.T, s string) *Transcript {
	transcript, err := Read(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return transcript
}

func TestDivergenceIsReadable(t *testing.T) {
	p := NewPlayer(read(t, small))
	c, err := p.Connect(t.Context(), p.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Transmit(t.Context(), []byte{0, 0xB0, 0, 3, 2})
	want := "communication with the card failed: the program diverges from the transcript: exchange 1: from byte 3 on\n" +
		"\tthe program sent READ BINARY 00B0000302\n\tthe transcript has READ BINARY 00B0000002"
	if err == nil || err.Error() != want || !errors.Is(err, ErrDiverged) || !errors.Is(err, apdu.ErrLink) {
		t.Errorf("error %v", err)
	}
	if _, again := c.Transmit(t.Context(), []byte{0, 0xB0, 0, 0, 2}); again != err {
		t.Errorf("the player goes on: %v", again)
	}
	if p.Done() != err {
		t.Errorf("done: %v", p.Done())
	}
	if _, err := p.Connect(t.Context(), "other"); !errors.Is(err, apdu.ErrNoReader) {
		t.Errorf("other reader: %v", err)
	}
}

func TestDivergenceShowsNoPIN(t *testing.T) {
	p := NewPlayer(read(t, small), AnyOrder())
	c, _ := p.Connect(t.Context(), p.Reader())
	_, err := c.Transmit(t.Context(), append([]byte{0, 0x20, 0, 2, 4}, "1234"...))
	if !errors.Is(err, ErrDiverged) || strings.Contains(err.Error(), "31323334") {
		t.Errorf("error %v", err)
	}
}

func TestEndedTooSoonIsADivergence(t *testing.T) {
	p := NewPlayer(read(t, small))
	if err := p.Done(); !errors.Is(err, ErrDiverged) {
		t.Errorf("error %v", err)
	}
	if got := p.Unplayed(); len(got) != 5 {
		t.Errorf("unplayed %v", got)
	}
}

func TestPlayerToleratesWhatATranscriptCannotKnow(t *testing.T) {
	p := NewPlayer(read(t, small))
	conn := dial(t, p)
	commands := []struct {
		cmd  apdu.Command
		data string
		err  error
	}{
		{apdu.Command{INS: 0xA4, P1: 4}, "", nil},
		{apdu.Command{INS: 0xB0, Le: 2}, "\x01\x02", nil},
	}
	err := conn.Exclusive(t.Context(), nil, func(ctx context.Context, tx *apdu.Tx) error {
		for _, c := range commands {
			data, err := tx.Do(ctx, c.cmd)
			if string(data) != c.data || !errors.Is(err, c.err) {
				t.Errorf("%v: %X, %v", c.cmd, data, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	before := conn.Epoch() // a reset lies before the next exchange
	err = conn.Exclusive(t.Context(), nil, func(ctx context.Context, tx *apdu.Tx) error {
		if tx.Epoch() != before+1 || !tx.Disturbed() {
			t.Errorf("epoch %d, disturbed %v", tx.Epoch(), tx.Disturbed())
		}
		if _, err := tx.Do(ctx, apdu.Command{INS: 0xC0, Le: 1}); err != nil {
			return err
		}
		if _, err := tx.Do(ctx, apdu.Command{INS: 0x20, P2: 1, Data: []byte("1234")}); err != nil {
			return err
		}
		_, err := tx.Do(ctx, apdu.Command{INS: 0xD6, Data: []byte{0xAA}})
		return err
	})
	if !errors.Is(err, apdu.ErrRemoved) {
		t.Errorf("error %v", err)
	}
	if err := p.Done(); err != nil {
		t.Error(err)
	}
}

func TestAnyOrderLooksUp(t *testing.T) {
	p := NewPlayer(read(t, `{}
{"c":"00b0000001","r":"019000"}
{"c":"00b0000101","r":"029000"}
{"c":"00b0000001","r":"039000"}
`), AnyOrder())
	c, _ := p.Connect(t.Context(), p.Reader())
	var got []byte
	for _, offset := range []byte{1, 0, 0, 1} {
		r, err := c.Transmit(t.Context(), []byte{0, 0xB0, 0, offset, 1})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r[0])
	}
	if diff := cmp.Diff([]byte{2, 3, 3, 2}, got); diff != "" {
		t.Error(diff)
	}
	if got := p.Unplayed(); !slices.Equal(got, []int{0}) {
		t.Errorf("unplayed %v", got)
	}
	if err := p.Done(); err != nil {
		t.Error(err)
	}
}

func TestRecorderLeavesPINsOut(t *testing.T) {
	r := NewRecorder(Head{})
	pin := append([]byte{0, 0x20, 0, 1, 4}, "1234"...)
	r.Trace(pin, []byte{0x90, 0}, nil)
	r.Trace([]byte{0, 0x20, 0, 1}, []byte{0x63, 0xC3}, nil)
	r.Trace(append([]byte{0, 0x24, 0, 1, 9}, "1234"...), []byte{0x67, 0}, nil)
	r.Trace([]byte{0, 0xB0, 0, 0, 1}, nil, context.Canceled)
	r.Trace([]byte{0, 0xB0, 0, 0, 1}, nil, nil)
	want := []Exchange{
		{Command: Hex{0, 0x20, 0, 1, 4, 0, 0, 0, 0}, Response: Hex{0x90, 0}, Hidden: true},
		{Command: Hex{0, 0x20, 0, 1}, Response: Hex{0x63, 0xC3}},
		{Command: Hex{0, 0x24, 0, 1, 0, 0, 0, 0, 0}, Response: Hex{0x67, 0}, Hidden: true},
		{Command: Hex{0, 0xB0, 0, 0, 1}, Error: "cut"},
		{Command: Hex{0, 0xB0, 0, 0, 1}, Response: Hex{}},
	}
	if diff := cmp.Diff(want, r.Transcript().Exchanges); diff != "" {
		t.Error(diff)
	}
	if string(pin[5:]) != "1234" {
		t.Error("the caller's PIN was changed")
	}
	p := NewPlayer(r.Transcript())
	c, _ := p.Connect(t.Context(), p.Reader())
	if _, err := c.Transmit(t.Context(), append([]byte{0, 0x20, 0, 1, 4}, "9999"...)); err != nil {
		t.Error(err)
	}
}

func TestWrappedTransportIsRecorded(t *testing.T) {
	original := read(t, small)
	player := NewPlayer(original)
	c, _ := player.Connect(t.Context(), player.Reader())
	r := NewRecorder(Head{Card: "Test"})
	conn := apdu.NewConn(r.Wrap(c))
	defer conn.Close()
	for _, part := range [][]Exchange{original.Exchanges[:2], original.Exchanges[2:]} {
		if err := say(t.Context(), conn, part, func(int, []byte, error) {}); err != nil {
			t.Fatal(err)
		}
	}
	want := *original
	want.Head = Head{Card: "Test", ATR: Hex{0x3B, 0}, Reader: "Replay", Resets: []int{2}}
	got := r.Transcript()
	for _, e := range want.Exchanges {
		if e.Hidden {
			clear(e.Command[5:])
		}
	}
	if diff := cmp.Diff(&want, got); diff != "" {
		t.Error(diff)
	}
	if !conn.Alive() {
		return
	}
	t.Error("alive after the removal")
}

// keyed is a reader with keys of its own and no card to share.
type keyed struct{ apdu.Transport }

func (keyed) Info() apdu.Info { return apdu.Info{Reader: "Keys", ATR: []byte{0x3B, 0}} }
func (keyed) Close() error    { return nil }
func (keyed) Verify(context.Context, apdu.PINBlock) (apdu.Status, error) {
	return 0x63C1, nil
}
func (keyed) Modify(context.Context, apdu.PINBlock) (apdu.Status, error) {
	return 0, apdu.ErrRemoved
}

func TestPINsEnteredOnTheReaderAreRecordedWithoutThem(t *testing.T) {
	r := NewRecorder(Head{})
	conn := apdu.NewConn(r.Wrap(keyed{}))
	defer conn.Close()
	block := apdu.PINBlock{Command: apdu.Command{INS: 0x20, P2: 1, Data: []byte{0xFF, 0xFF}}}
	conn.Exclusive(t.Context(), nil, func(ctx context.Context, tx *apdu.Tx) error {
		pad, ok := tx.PINPad()
		if !ok {
			t.Fatal("no keys")
		}
		if sw, err := pad.Verify(ctx, block); sw != 0x63C1 || err != nil {
			t.Errorf("%v, %v", sw, err)
		}
		if _, err := pad.Modify(ctx, block); !errors.Is(err, apdu.ErrRemoved) {
			t.Errorf("error %v", err)
		}
		return nil
	})
	command := Hex{0, 0x20, 0, 1, 2, 0, 0}
	want := &Transcript{
		Head: Head{Reader: "Keys", ATR: Hex{0x3B, 0}},
		Exchanges: []Exchange{
			{Command: command, Response: Hex{0x63, 0xC1}, Hidden: true},
			{Command: command, Hidden: true, Error: "removed"},
		},
	}
	if diff := cmp.Diff(want, r.Transcript()); diff != "" {
		t.Error(diff)
	}
}

func TestMalformedTranscripts(t *testing.T) {
	for _, s := range []string{
		"", "\n\n", "x", "[]", "{}\nx", "{}\n{}", `{}` + "\n" + `{"c":"00"}`, `{}` + "\n" + `{"c":"0","r":"9000"}`,
		`{}` + "\n" + `{"c":"zz","r":"9000"}`, `{}` + "\n" + `{"c":"","r":"9000"}`, `{"atr":1}`,
		`{"card":"` + strings.Repeat("x", maxLine) + `"}`,
	} {
		if _, err := Read(strings.NewReader(s)); err == nil {
			t.Errorf("%.40q was read", s)
		}
	}
	if _, err := ReadFile("testdata/none.jsonl"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestWatchShowsTheOneReader(t *testing.T) {
	p := NewPlayer(read(t, small))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var events []apdu.Event
	for e, err := range p.Watch(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
		cancel()
	}
	want := []apdu.Event{{Reader: "Replay", Present: true, ATR: []byte{0x3B, 0}, Count: 1, Initial: true, Settled: true}}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
	if names, err := p.Readers(ctx); err != nil || !slices.Equal(names, []string{"Replay"}) {
		t.Errorf("%v, %v", names, err)
	}
	var _ apdu.Provider = p
}

func FuzzRead(f *testing.F) {
	f.Add(small)
	f.Add("{}\n{\"c\":\"00\",\"r\":\"\"}")
	f.Fuzz(func(t *testing.T, s string) {
		transcript, err := Read(strings.NewReader(s))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := Write(&b, transcript); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(&b); err != nil {
			t.Errorf("%q was read, but not what was written of it: %v", s, err)
		}
		p := NewPlayer(transcript, AnyOrder())
		c, _ := p.Connect(t.Context(), p.Reader())
		for _, e := range transcript.Exchanges {
			c.Transmit(t.Context(), e.Command)
		}
		c.Transmit(t.Context(), []byte{0, 0x20, 0, 0, 9})
	})
}
