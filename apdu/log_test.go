package apdu

import (
	"context"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const secret = "s3cr3t-PIN"

func TestLogShowsOnlyWhatIsHarmless(t *testing.T) {
	pin := []byte(secret)
	tests := []struct {
		cmd               Command
		command, response bool
	}{
		{Command{INS: 0xA4, P1: 4, Data: pin, Le: 256}, true, true},
		{Command{INS: 0xCA, P1: 1, Le: 256}, true, true},
		{Command{INS: 0xCB, Data: pin, Le: 256}, true, true},
		{Command{INS: 0x22, P1: 0x41, Data: pin}, true, false},
		{Command{INS: 0xE0, Data: pin}, true, false},
		{Command{INS: 0xB0, Le: 256}, true, false},
		{Command{INS: 0x20, Data: pin}, false, false},
		{Command{INS: 0x24, Data: pin}, false, false},
		{Command{INS: 0x2C, Data: pin}, false, false},
		{Command{INS: 0xDA, Data: pin}, false, false},
		{Command{INS: 0xDB, Data: pin}, false, false},
		{Command{INS: 0xD6, Data: pin}, false, false},
		{Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: pin, Le: 256}, false, false},
		{Command{INS: 0x86, Data: pin, Le: 256}, false, false},
		{Command{INS: 0x87, Data: pin, Le: 256}, false, false},
		{Command{INS: 0x84, Le: 256}, false, false},
		{Command{CLA: 0x80, INS: 0xCA, Data: pin, Le: 256}, false, false},
		{Command{CLA: 0x0C, INS: 0xA4, Data: pin, Le: 256}, false, false},
		{Command{INS: 0xFB, Data: pin}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.cmd.String(), func(t *testing.T) {
			var out strings.Builder
			logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
			answer := "the answer"
			c := NewConn(newCard(t, func(_ context.Context, command []byte) ([]byte, error) {
				if command[1] == insGetResponse {
					return append([]byte(answer), 0x90, 0x00), nil
				}
				return []byte{0x61, byte(len(answer))}, nil
			}), WithLogger(logger))
			defer c.Close()
			for _, ctx := range []context.Context{context.Background(), cancellable(t)} {
				out.Reset()
				do(ctx, c, tt.cmd)
				log := out.String()
				if got := shownIn(log, secret); got != (tt.command && len(tt.cmd.Data) > 0) {
					t.Errorf("command shown: %v in %s", got, log)
				}
				if got := shownIn(log, answer); got != tt.response {
					t.Errorf("response shown: %v in %s", got, log)
				}
				if !strings.Contains(log, "status=9000") || !strings.Contains(log, `reader="Test 00"`) {
					t.Errorf("log %s", log)
				}
			}
		})
	}
}

func shownIn(log, what string) bool {
	for _, form := range []string{what, hexOf([]byte(what)), base64.StdEncoding.EncodeToString([]byte(what))} {
		if strings.Contains(strings.ToLower(log), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

func TestTapSeesEveryExchange(t *testing.T) {
	for _, ctx := range []context.Context{context.Background(), cancellable(t)} {
		var got []string
		tap := func(command, response []byte, err error) {
			s := hexOf(command) + ">" + hexOf(response)
			if err != nil {
				s += "!"
			}
			got = append(got, s)
		}
		n := 0
		c := NewConn(newCard(t, func(context.Context, []byte) ([]byte, error) {
			if n++; n == 3 {
				return nil, ErrRemoved
			}
			return [][]byte{{0x61, 1}, {7, 0x90, 0}}[n-1], nil
		}), WithTrace(tap))
		do(ctx, c, Command{INS: 0xCA, Le: 256})
		do(ctx, c, Command{INS: 0x20, Data: []byte{1}})
		c.Close()
		want := []string{"00CA000000>6101", "00C0000001>079000", "002000000101>!"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
