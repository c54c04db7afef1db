package apdu

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnswersToResetOfKnownCards(t *testing.T) {
	tests := []struct {
		name, atr string
		want      ATR
		caps      Capabilities
	}{
		{"OsEID", "3BF5180002 80 01 4F73454944 1A", ATR{[]Protocol{T0, T1}, []byte("OsEID"), true}, unknown},
		{"YubiKey 4", "3BF81300008131FE15 597562696B657934 D4", ATR{[]Protocol{T1}, []byte("Yubikey4"), true}, unknown},
		{"OpenPGP card", "3BDA18FF81B1FE751F03 0031C573C00140009000 0C", ATR{[]Protocol{T1}, unhex("0031C573C00140009000"), true}, extended},
		{"contactless", "3B8A8001 0031C573C001C0009000 1D", ATR{[]Protocol{T0, T1}, unhex("0031C573C001C0009000"), true}, both},
		{"category 80", "3B858001 8073C82180 E3", ATR{[]Protocol{T0, T1}, unhex("8073C82180"), false}, chaining},
		{"T=0 only", "3B02 0102", ATR{[]Protocol{T0}, unhex("0102"), true}, unknown},
		{"inverse convention", "3F02 0102", ATR{[]Protocol{T0}, unhex("0102"), true}, unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseATR(unhex(tt.atr))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.caps, CapabilitiesOf(got.Historical)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckByte(t *testing.T) {
	for s, want := range map[string]bool{
		"3BF51800028001 4F73454944 1A":         true,
		"3BF51800028001 4F73454944 1B":         false,
		"3BF51800028001 4F73454944":            false,
		"3BF81300008131FE15597562696B657934D4": true,
		"3B020102":                             true,
	} {
		if a, err := ParseATR(unhex(s)); err != nil || a.Checked != want {
			t.Errorf("%s: %v, %v", s, a.Checked, err)
		}
	}
}

// A10.
func TestMalformedAnswersToReset(t *testing.T) {
	for _, s := range []string{
		"", "3B", "3C00", "3B05", "3B0501", "3BFF", "3B80", "3B8080", "3BF5180002", "3B0001 0203",
		"3BFF" + hexOf(repeat(32)), "3B80808080808080808080808080808080808080808080808080808080808080",
	} {
		if a, err := ParseATR(unhex(s)); !errors.Is(err, ErrATR) {
			t.Errorf("%s: %+v, %v", s, a, err)
		}
	}
	c := NewConn(&card{t: t, info: Info{ATR: nil}})
	defer c.Close()
	if c.Capabilities().Known {
		t.Error("capabilities out of nothing")
	}
}

func TestHistoricalBytesRunningPastTheirEnd(t *testing.T) {
	for _, s := range []string{"", "80", "00", "0090", "8073", "8073C8", "8073C840", "80FF", "007300", "0031C573C0029000", "4F7345"} {
		if caps := CapabilitiesOf(unhex(s)); caps.Known {
			t.Errorf("%s: %+v", s, caps)
		}
	}
}

func TestLengthsOfEFATR(t *testing.T) {
	known := Capabilities{Known: true, Extended: true}
	got, err := known.WithLengths(unhex("43010046 02 0102 7F6608 02020800 02020400"))
	want := known
	want.MaxCommand, want.MaxResponse = 0x800, 0x400
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if got, err = known.WithLengths(unhex("430100")); got != known || err != nil {
		t.Error(got, err)
	}
	for _, s := range []string{"7F6608020208", "7F660402020800", "7F6600", "7F66030401AA", "7F6606020502020202"} {
		if got, err = known.WithLengths(unhex(s)); err == nil || got != known {
			t.Errorf("%s: %+v", s, got)
		}
	}
}

func FuzzParseATR(f *testing.F) {
	f.Add(unhex("3BF51800028001 4F73454944 1A"))
	f.Add(unhex("3BDA18FF81B1FE751F030031C573C001400090000C"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseATR(b)
		if err == nil && len(a.Protocols) == 0 {
			t.Error("no protocol")
		}
		CapabilitiesOf(a.Historical)
		CapabilitiesOf(b)
		Capabilities{}.WithLengths(b)
	})
}
