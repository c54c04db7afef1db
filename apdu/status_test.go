package apdu

import (
	"errors"
	"fmt"
	"testing"
)

func TestStatusMatchesItsFamily(t *testing.T) {
	tests := []struct {
		status, target Status
		want           bool
	}{
		{0x6A82, 0x6A82, true}, {0x6A82, 0x6A80, false},
		{0x63C2, 0x63C0, true}, {0x63C0, 0x63C0, true}, {0x63C2, 0x63C1, false}, {0x6300, 0x63C0, false},
		{0x6302, 0x63C0, false}, {0x6110, 0x6100, true}, {0x6C10, 0x6C00, true}, {0x6A82, 0x6A00, false},
		{0x6282, 0x6200, false},
	}
	for _, tt := range tests {
		err := fmt.Errorf("above: %w", &CommandError{"VERIFY", tt.status})
		if errors.Is(err, tt.target) != tt.want {
			t.Errorf("%v is %v: %v", tt.status, tt.target, !tt.want)
		}
		var sw Status
		if !errors.As(err, &sw) || sw != tt.status {
			t.Errorf("%v is not found in the chain", tt.status)
		}
	}
	if errors.Is(Status(0x6A82), errors.New("other")) {
		t.Error("matches another kind of error")
	}
}

// A20.
func TestTriesAreKnownFrom63CxAnd6983Alone(t *testing.T) {
	for s := range 0x10000 {
		left, known := Status(s).Tries()
		wantLeft, wantKnown := 0, false
		if s >= 0x63C0 && s <= 0x63CF {
			wantLeft, wantKnown = s-0x63C0, true
		}
		wantKnown = wantKnown || s == 0x6983
		if left != wantLeft || known != wantKnown {
			t.Errorf("%04X: %d, %v", s, left, known)
		}
		if Status(s).Meaning() == "" {
			t.Errorf("%04X means nothing", s)
		}
	}
}

func TestStatusReadsAsASentence(t *testing.T) {
	for s, want := range map[Status]string{
		0x6A82: "file not found (6A82)",
		0x6982: "security status not satisfied (6982)",
		0x63C1: "verification failed, 1 try left (63C1)",
		0x63C0: "verification failed, no tries left (63C0)",
		0x63CF: "verification failed, 15 tries left (63CF)",
		0x6F42: "no precise diagnosis (6F42)",
		0x6C10: "wrong length Le (6C10)",
		0x0000: "unknown status (0000)",
	} {
		if s.Error() != want {
			t.Errorf("%q, want %q", s.Error(), want)
		}
	}
	if Status(0x6A82).String() != "6A82" {
		t.Error(Status(0x6A82).String())
	}
}
