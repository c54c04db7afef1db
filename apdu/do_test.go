package apdu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnswersAndTheirErrors(t *testing.T) {
	read := Command{INS: 0xB0, Le: 8}
	all := Command{INS: 0xCA, P1: 0x01, Le: 256}
	tests := []struct {
		name      string
		cmd       Command
		exchanges []string
		data      string
		err       error
		message   string
	}{
		{"success", read, []string{"00B0000008 > 0102 9000"}, "0102", nil, ""},
		{"status", read, []string{"00B0000008 > 6A82"}, "", SWFileNotFound, "READ BINARY: file not found (6A82)"},
		{"data with an error are dropped", read, []string{"00B0000008 > 0102 6A82"}, "", SWFileNotFound, "READ BINARY: file not found (6A82)"},
		{"warning with data", read, []string{"00B0000008 > 0102 6282"}, "0102", SWEndOfFile, "READ BINARY: end of file reached (6282)"},
		{"tries", Command{INS: 0x20, P2: 1, Data: []byte{1}}, []string{"0020000101 01 > 63C2"}, "", Status(0x63C0), "VERIFY: verification failed, 2 tries left (63C2)"},
		{"9xxx is no success", read, []string{"00B0000008 > 9100"}, "", Status(0x9100), "READ BINARY: unknown status (9100)"},
		{"Le corrected", read, []string{"00B0000008 > 6C02", "00B0000002 > 0102 9000"}, "0102", nil, ""},
		{"Le corrected upwards", read, []string{"00B0000008 > 6C09", "00B0000009 > 010203040506070809 9000"}, "010203040506070809", nil, ""},
		{"Le corrected once only", read, []string{"00B0000008 > 6C02", "00B0000002 > 6C03"}, "", SWCorrectLe, "READ BINARY: wrong length Le (6C03)"},
		{"rest fetched", all, []string{"00CA010000 > 01 6102", "00C0000002 > 0203 6101", "00C0000001 > 04 9000"}, "01020304", nil, ""},
		{"rest with warning", all, []string{"00CA010000 > 01 6102", "00C0000002 > 0203 6282"}, "010203", SWEndOfFile, "GET DATA: end of file reached (6282)"},
		{"rest refused", all, []string{"00CA010000 > 01 6102", "00C0000002 > 6985"}, "", SWConditionsNotSatisfied, "GET DATA: conditions of use not satisfied (6985)"},
		{"enough is enough", read, []string{"00B0000008 > 0102030405060708 6140"}, "0102030405060708", nil, ""},
		{"only the rest of what is wanted", read, []string{"00B0000008 > 6140", "00C0000008 > 0102030405060708 6138"}, "0102030405060708", nil, ""},
		{"Le of GET RESPONSE corrected", all, []string{"00CA010000 > 6104", "00C0000004 > 6C02", "00C0000002 > 0102 9000"}, "0102", nil, ""},
		{"channel kept, chaining not", Command{CLA: 0x11, INS: 0xCA, Le: 256}, []string{"11CA000000 > 6101", "01C0000001 > 01 9000"}, "01", nil, ""},
		{"further channel kept", Command{CLA: 0x55, INS: 0xCA, Le: 256}, []string{"55CA000000 > 6101", "45C0000001 > 01 9000"}, "01", nil, ""},
		{"proprietary class", Command{CLA: 0x80, INS: 0xCA, Le: 256}, []string{"80CA000000 > 6101", "00C0000001 > 01 9000"}, "01", nil, ""},
		{"not asked, answered", Command{INS: 0x2A, Data: []byte{1}}, []string{"002A0000 01 01 > 0203 9000"}, "0203", nil, ""},
		{"old chain", read, []string{"00B0000008 > 6883", "00B0000008 > 01 9000"}, "01", nil, ""},
		{"old chain again", read, []string{"00B0000008 > 6883", "00B0000008 > 6883"}, "", SWLastOfChainExpected, "READ BINARY: last command of the chain expected (6883)"},
		{"fewer than announced", all, []string{"00CA010000 > 01 6102", "00C0000002 > 02 9000"}, "0102", ErrShort, "GET DATA: communication with the card failed: answer shorter than announced"},
		{"hole in the middle", all, []string{"00CA010000 > 01 6103", "00C0000003 > 02 6101", "00C0000001 > 03 9000"}, "010203", ErrShort, "GET DATA: communication with the card failed: answer shorter than announced"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, script(t, tt.exchanges...))
			data, err := do(context.Background(), c, tt.cmd)
			if !bytes.Equal(data, unhex(tt.data)) {
				t.Errorf("data %X, want %s", data, tt.data)
			}
			if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if err != nil && err.Error() != tt.message {
				t.Errorf("message %q, want %q", err, tt.message)
			}
			var ce *CommandError
			if err != nil && !errors.As(err, &ce) {
				t.Errorf("error is a %T", err)
			}
			if c.Epoch() != 1 {
				t.Errorf("epoch %d after answers that are some", c.Epoch())
			}
		})
	}
}

// A1, A2, A3, A5, F2: answers that are none.
func TestGarbledAnswerEndsTheUnitOnly(t *testing.T) {
	tests := []struct {
		name   string
		answer func(n int, command []byte) []byte
		most   int // exchanges
	}{
		{"empty", func(int, []byte) []byte { return nil }, 1},
		{"one byte", func(int, []byte) []byte { return []byte{0x90} }, 1},
		{"zeros", func(int, []byte) []byte { return make([]byte, 12) }, 1},
		{"status 60xx", func(int, []byte) []byte { return []byte{0x60, 0x00} }, 1},
		{"status 7xxx", func(int, []byte) []byte { return []byte{0x70, 0x00} }, 1},
		{"more than Le", func(int, []byte) []byte { return append(make([]byte, 257), 0x90, 0x00) }, 1},
		{"a megabyte", func(int, []byte) []byte { return append(make([]byte, 1<<20), 0x90, 0x00) }, 1},
		{"61 for ever, empty", func(int, []byte) []byte { return []byte{0x61, 0x00} }, 3},
		{"61 for ever, full", func(int, []byte) []byte { return append(make([]byte, 256), 0x61, 0x00) }, 256},
		{"61 for ever, one byte", func(int, []byte) []byte { return []byte{1, 0x61, 0x01} }, 513},
		{"more than announced", func(n int, _ []byte) []byte {
			if n == 1 {
				return []byte{0x61, 0x03}
			}
			return []byte{1, 2, 3, 4, 0x90, 0x00}
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, broken := 0, true
			k := newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
				n++
				if !broken {
					return []byte{0x2A, 0x90, 0x00}, nil
				}
				return tt.answer(n, command), nil
			})
			c := dial(t, k)
			err := c.Exclusive(context.Background(), nil, func(ctx context.Context, tx *Tx) error {
				data, err := tx.Do(ctx, Command{INS: 0xDA, Data: []byte{1}, Le: 256})
				if data != nil {
					t.Errorf("%d bytes of data", len(data))
				}
				sent := n
				if _, again := tx.Do(ctx, Command{INS: 0xB0, Le: 1}); !errors.Is(again, ErrLink) || errors.Is(again, ErrOutcomeUnknown) || n != sent {
					t.Errorf("the unit goes on: %v", again)
				}
				return err
			})
			if !errors.Is(err, ErrLink) || !errors.Is(err, ErrOutcomeUnknown) {
				t.Errorf("error %v", err)
			}
			if n != tt.most {
				t.Errorf("%d exchanges, want %d", n, tt.most)
			}
			if c.Epoch() != 2 || c.Resets() != 0 {
				t.Errorf("epoch %d, %d resets", c.Epoch(), c.Resets())
			}
			broken = false
			if data, err := do(context.Background(), c, Command{INS: 0xB0, Le: 1}); err != nil || !bytes.Equal(data, []byte{0x2A}) {
				t.Errorf("next unit: %X, %v", data, err)
			}
		})
	}
}

// F5: the link fails once.
func TestOnlyReadsAreRepeatedAfterALinkFailure(t *testing.T) {
	comm := errors.New("parity error")
	tests := []struct {
		cmd      Command
		repeated bool
	}{
		{Command{INS: 0xA4, P1: 8, Data: []byte{1, 2}}, true},
		{Command{INS: 0xB0, Le: 8}, true},
		{Command{INS: 0xCB, P1: 0x3F, P2: 0xFF, Data: []byte{0x5C, 0}, Le: 256}, true},
		{Command{INS: 0x20, P2: 1}, true},
		{Command{INS: 0x20, P1: 0xFF, P2: 1}, false},
		{Command{INS: 0x20, P2: 1, Data: []byte("1234")}, false},
		{Command{INS: 0x2A, P1: 0x9E, P2: 0x9A, Data: []byte{1}, Le: 256}, false},
		{Command{INS: 0x46, Le: 256}, false},
		{Command{CLA: 0x80, INS: 0xCA, Le: 256}, false},
	}
	for _, tt := range tests {
		t.Run(tt.cmd.String(), func(t *testing.T) {
			for failures := 1; failures <= 2; failures++ {
				n := 0
				c := dial(t, newCard(t, func(context.Context, []byte) ([]byte, error) {
					if n++; n <= failures {
						return nil, comm
					}
					return []byte{0x90, 0x00}, nil
				}))
				_, err := do(context.Background(), c, tt.cmd)
				wantSent, wantErr := 1, true
				if tt.repeated {
					wantSent, wantErr = 2, failures > 1
				}
				if n != wantSent || (err != nil) != wantErr {
					t.Errorf("%d failures: sent %d times: %v", failures, n, err)
				}
				if grown := c.Epoch() > 1; grown != wantErr {
					t.Errorf("%d failures: epoch %d", failures, c.Epoch())
				}
				if err != nil && !(errors.Is(err, ErrLink) && errors.Is(err, ErrOutcomeUnknown) && errors.Is(err, comm)) {
					t.Errorf("error %v", err)
				}
			}
		})
	}
}

func TestLastLinkOfAChainIsNotRepeated(t *testing.T) {
	n := 0
	c := dial(t, newCard(t, func(context.Context, []byte) ([]byte, error) {
		if n++; n == 2 {
			return nil, ErrLink
		}
		return unhex("9000"), nil
	}))
	_, err := do(context.Background(), c, Command{INS: 0xCB, Data: repeat(300), Le: 256})
	if !errors.Is(err, ErrOutcomeUnknown) || n != 2 {
		t.Errorf("%v after %d commands", err, n)
	}
}

func TestResetInsideAUnitEndsIt(t *testing.T) {
	n := 0
	c := dial(t, newCard(t, func(context.Context, []byte) ([]byte, error) {
		if n++; n == 2 {
			return nil, fmt.Errorf("transmit: %w", ErrReset)
		}
		return []byte{0x90, 0x00}, nil
	}))
	err := c.Exclusive(context.Background(), nil, func(ctx context.Context, tx *Tx) error {
		before := tx.Epoch()
		if _, err := tx.Do(ctx, Command{INS: 0x20, Data: []byte("1234")}); err != nil {
			return err
		}
		_, err := tx.Do(ctx, Command{INS: 0xB0, Le: 1})
		if tx.Epoch() != before+1 {
			t.Errorf("epoch went from %d to %d", before, tx.Epoch())
		}
		tx.Do(ctx, Command{INS: 0x2A})
		return err
	})
	if !errors.Is(err, ErrReset) || errors.Is(err, ErrOutcomeUnknown) || n != 2 || c.Resets() != 1 {
		t.Errorf("%v after %d commands, %d resets", err, n, c.Resets())
	}
}

func TestRemovalIsForGood(t *testing.T) {
	n := 0
	k := newCard(t, func(context.Context, []byte) ([]byte, error) {
		if n++; n == 1 {
			return nil, ErrRemoved
		}
		return []byte{0x90, 0x00}, nil
	})
	c := dial(t, k)
	if !c.Alive() {
		t.Error("not alive at first")
	}
	if _, err := do(context.Background(), c, Command{INS: 0xD6}); !errors.Is(err, ErrRemoved) || !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("error %v", err)
	}
	if _, err := do(context.Background(), c, Command{INS: 0xD6}); !errors.Is(err, ErrRemoved) || errors.Is(err, ErrOutcomeUnknown) || n != 1 {
		t.Errorf("error %v after %d commands", err, n)
	}
	if c.Alive() {
		t.Error("alive after the removal")
	}
}

// A6: every answer of a chain cut short by any number of bytes.
func TestTruncatedChainIsNeverWhole(t *testing.T) {
	value := repeat(700)
	answers := [][]byte{
		append(bytes.Clone(value[:256]), 0x61, 0x00),
		append(bytes.Clone(value[256:512]), 0x61, 188),
		append(bytes.Clone(value[512:]), 0x90, 0x00),
	}
	for i, whole := range answers {
		for cut := 1; cut < len(whole)-2; cut += 7 {
			n := 0
			c := NewConn(newCard(t, func(context.Context, []byte) ([]byte, error) {
				n++
				if n-1 != i {
					return bytes.Clone(answers[n-1]), nil
				}
				sw := whole[len(whole)-2:]
				return append(bytes.Clone(whole[:len(whole)-2-cut]), sw...), nil
			}))
			data, err := do(context.Background(), c, Command{INS: 0xCA, Le: 256})
			if i == 0 { // the first answer announces nothing about itself
				if err != nil || len(data) != len(value)-cut {
					t.Errorf("first answer cut by %d: %d bytes, %v", cut, len(data), err)
				}
			} else if !errors.Is(err, ErrShort) || !errors.Is(err, ErrLink) {
				t.Errorf("answer %d cut by %d: %v", i, cut, err)
			}
			c.Close()
		}
	}
}

func TestCommandIsClearedAfterUse(t *testing.T) {
	var kept []byte
	c := dial(t, newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
		kept = command
		return []byte{0x90, 0x00}, nil
	}))
	for _, ctx := range []context.Context{context.Background(), cancellable(t)} {
		if _, err := do(ctx, c, Command{INS: 0x20, Data: []byte("1234")}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(make([]byte, len(kept)), kept); diff != "" {
			t.Errorf("PIN still there: %s", diff)
		}
	}
}
