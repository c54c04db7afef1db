package apdu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFourCasesShortAndExtended(t *testing.T) {
	long := repeat(300)
	tests := []struct {
		name string
		cmd  Command
		want string
	}{
		{"1", Command{INS: 0x20, P2: 1}, "00200001"},
		{"2S", Command{INS: 0xB0, Le: 256}, "00B0000000"},
		{"2S", Command{INS: 0xB0, Le: 1}, "00B0000001"},
		{"3S", Command{INS: 0x20, P2: 1, Data: []byte("1234")}, "002000010431323334"},
		{"3S longest", Command{INS: 0xD6, Data: long[:255]}, "00D60000FF" + hexOf(long[:255])},
		{"4S", Command{INS: 0xA4, P1: 4, Data: []byte{0xA0}, Le: 256}, "00A4040001A000"},
		{"2E", Command{INS: 0xB0, Le: 257}, "00B00000000101"},
		{"2E longest", Command{INS: 0xB0, Le: 65536}, "00B00000000000"},
		{"3E", Command{INS: 0xD6, Data: long}, "00D6000000012C" + hexOf(long)},
		{"4E", Command{INS: 0xDA, Data: long, Le: 256}, "00DA000000012C" + hexOf(long) + "0100"},
		{"4E longest", Command{INS: 0xDA, Data: long, Le: 65536}, "00DA000000012C" + hexOf(long) + "0000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.cmd.Bytes()
			if err != nil || hexOf(got) != tt.want {
				t.Fatalf("%X, %v, want %s", got, err, tt.want)
			}
			back, err := ParseCommand(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fields(tt.cmd), fields(back)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func fields(c Command) []any { return []any{c.CLA, c.INS, c.P1, c.P2, hexOf(c.Data), c.Le} }

func TestMalformedCommandsAreWrongLength(t *testing.T) {
	for _, s := range []string{
		"", "00A404", "00A4040002A0", "00A4040002A0000001", "00A404000000", "00A4040000000001",
		"00A40400000003 0304", "00A40400000001A00102 03", "00A40400000002A0", "00A40400000000A0",
	} {
		if c, err := ParseCommand(unhex(s)); !errors.Is(err, SWWrongLength) {
			t.Errorf("%s is %v, %v", s, c, err)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add(unhex("00A4040001A000"))
	f.Add(unhex("00DA0000000001AA0000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		if err != nil {
			return
		}
		var again []byte
		if IsExtended(b) {
			again, err = c.AppendExtended(nil)
		} else {
			again, err = c.AppendShort(nil)
		}
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%X became %X, %v", b, again, err)
		}
	})
}

func TestNoVerbShowsTheData(t *testing.T) {
	cmd := Command{INS: 0x20, P2: 1, Data: []byte("87654321"), Le: 2}
	type holder struct {
		C Command
		P *Command
		B PINBlock
	}
	var out strings.Builder
	for _, v := range []any{cmd, &cmd, holder{cmd, &cmd, PINBlock{Command: cmd}}, []Command{cmd}, map[string]Command{"a": cmd}} {
		for _, verb := range "vsxXqdobctTUeEfFgG" { // %p asks no method, and vet refuses it
			fmt.Fprintf(&out, "%"+string(verb)+" %#"+string(verb)+" %+"+string(verb)+"\n", v, v, v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	for _, secret := range []string{"87654321", "3837363534333231", "[56 55 54", "ODc2NTQzMjE", "0x38, 0x37"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if want := "VERIFY (00 20 00 01, 8 bytes, Le 2)"; cmd.String() != want {
		t.Errorf("%q, want %q", cmd, want)
	}
}

func TestNames(t *testing.T) {
	for want, cmd := range map[string]Command{
		"COMPUTE DIGITAL SIGNATURE":  {INS: 0x2A, P1: 0x9E, P2: 0x9A},
		"DECIPHER":                   {INS: 0x2A, P1: 0x80, P2: 0x86},
		"PERFORM SECURITY OPERATION": {INS: 0x2A, P1: 1},
		"GENERAL AUTHENTICATE":       {INS: 0x87},
		"INS FD":                     {INS: 0xFD},
		"CLA 84 INS F1":              {CLA: 0x84, INS: 0xF1},
	} {
		if cmd.Name() != want {
			t.Errorf("%s, want %s", cmd.Name(), want)
		}
	}
}
