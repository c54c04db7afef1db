package tlv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func flat(elements iter.Seq2[Element, error]) (s string, err error) {
	for e, err := range elements {
		if err != nil {
			return s, err
		}
		s += fmt.Sprintf("%v=%X ", e.Tag, e.Value)
	}
	return strings.TrimSpace(s), nil
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"8000":                  "80=",
		"80 01 FF 81 02 0102":   "80=FF 81=0102",
		"7F49 03 810101":        "7F49=810101",
		"5FC105 02 0102":        "5FC105=0102",
		"80 81 01 FF":           "80=FF",
		"80 82 0001 FF":         "80=FF",
		"80 83 000001 FF":       "80=FF",
		"80 84 00000001 FF":     "80=FF",
		"FF 01 AA":              "",
		"DF30 01 AA 1F81 01 05": "",
	} {
		got, err := flat(Parse(unhex(in)))
		if want == "" && in != "" {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %s, %v", in, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
}

// A7.
func TestMalformedElementsAreNamed(t *testing.T) {
	for in, want := range map[string]string{
		"80":                  "malformed TLV: tag 80 at byte 0: length missing",
		"8005 01":             "malformed TLV: tag 80 at byte 0: length 5, but 1 bytes left",
		"8000 7F49 82 FFFF":   "malformed TLV: tag 7F49 at byte 2: length 65535, but 0 bytes left",
		"80 80 0000":          "malformed TLV: tag 80 at byte 0: indefinite length",
		"80 84 7FFFFFFF 00":   "malformed TLV: tag 80 at byte 0: length 2147483647, but 1 bytes left",
		"80 84 80000000 00":   "malformed TLV: tag 80 at byte 0: length 2147483648, but 1 bytes left",
		"80 84 FFFFFFFF 00":   "malformed TLV: tag 80 at byte 0: length 4294967295, but 1 bytes left",
		"80 84 FFFFFF":        "malformed TLV: tag 80 at byte 0: length cut short",
		"80 85 0000000001 00": "malformed TLV: tag 80 at byte 0: length of 5 bytes",
		"80 FF":               "malformed TLV: tag 80 at byte 0: length of 127 bytes",
		"5F":                  "malformed TLV: tag 5F at byte 0: tag cut short",
		"5FC1":                "malformed TLV: tag 5FC1 at byte 0: tag cut short",
		"5FC1C101 00":         "malformed TLV: tag 5FC1C1 at byte 0: tag of more than three bytes",
		"5F8005 00":           "malformed TLV: tag 5F at byte 0: tag number begins with zero",
		"0000":                "malformed TLV: at byte 0: tag 00",
	} {
		_, err := flat(Parse(unhex(in)))
		if err == nil || err.Error() != want || !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
		if _, err := Decode(unhex(in)); !errors.Is(err, ErrMalformed) {
			t.Errorf("Decode(%s): %v", in, err)
		}
	}
	_, err := Decode(unhex("8000 A004 A102 8105"))
	if want := "malformed TLV: tag 81 at byte 6: length 5, but 0 bytes left"; err == nil || err.Error() != want {
		t.Errorf("nested: %v", err)
	}
}

func TestPaddingInFiles(t *testing.T) {
	got, err := flat(ParsePadded(unhex("0000 FF 8001AA FFFF 00 8101BB 000000")))
	if err != nil || got != "80=AA 81=BB" {
		t.Errorf("%s, %v", got, err)
	}
}

// A8.
func TestBoundsOnCountAndDepth(t *testing.T) {
	start := time.Now()
	deep := []byte{}
	for range 10000 {
		deep = New(0x30, deep)
	}
	if _, err := Decode(deep); !errors.Is(err, ErrMalformed) {
		t.Errorf("10,000 deep: %v", err)
	}
	many := bytes.Repeat([]byte{0x80, 0x00}, 1<<20)
	if _, err := Decode(many); !errors.Is(err, ErrMalformed) {
		t.Errorf("a million: %v", err)
	}
	if _, err := Find(many, 0x81); !errors.Is(err, ErrMalformed) {
		t.Errorf("a million: %v", err)
	}
	spread := bytes.Repeat(New(0x30, bytes.Repeat([]byte{0x80, 0x00}, 1000)), 5)
	if _, err := Decode(spread); !errors.Is(err, ErrMalformed) {
		t.Errorf("5,000 in five: %v", err)
	}
	if _, err := Decode(many[:2*MaxElements]); err != nil {
		t.Errorf("as many as are allowed: %v", err)
	}
	most := []byte{0x80, 0x00}
	for range MaxDepth - 1 {
		most = New(0x30, most)
	}
	if _, err := Decode(most); err != nil {
		t.Errorf("as deep as is allowed: %v", err)
	}
	if _, err := Decode(New(0x30, most)); !errors.Is(err, ErrMalformed) {
		t.Errorf("one deeper: %v", err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestFind(t *testing.T) {
	b := New(0x7F49, New(0x81, []byte{1}), New(0x82, []byte{1, 0, 1}))
	for _, tt := range []struct {
		path []Tag
		want []byte
		err  error
	}{
		{[]Tag{0x7F49, 0x82}, []byte{1, 0, 1}, nil},
		{[]Tag{0x7F49, 0x86}, nil, ErrNotFound},
		{[]Tag{0x82}, nil, ErrNotFound},
		{[]Tag{0x7F49, 0x82, 0x81}, nil, ErrMalformed},
		{nil, b, nil},
	} {
		got, err := Find(b, tt.path...)
		if !bytes.Equal(got, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%v: %X, %v", tt.path, got, err)
		}
	}
}

func TestWrittenIsRead(t *testing.T) {
	for _, tag := range []Tag{0x01, 0x80, 0x7F49, 0x5F50, 0x5FC105, 0x7F66} {
		for _, n := range []int{0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000} {
			value := bytes.Repeat([]byte{0xAB}, n)
			b := Append([]byte{}, tag, value[:n/2], value[n/2:])
			e, rest, err := Next(append(b, 0x55))
			if err != nil || e.Tag != tag || !bytes.Equal(e.Value, value) || !bytes.Equal(rest, []byte{0x55}) || !bytes.Equal(e.Raw, b) {
				t.Errorf("tag %v, %d bytes: %v, %d bytes, rest %X, %v", tag, n, e.Tag, len(e.Value), rest, err)
			}
		}
	}
	dir := New(0x61, New(0x4F, unhex("A000000063504B43532D3135")), New(0x50, []byte("testtoken")), New(0x51, unhex("3F005015")))
	if got := fmt.Sprintf("%X", dir); got != "611F4F0CA000000063504B43532D3135500974657374746F6B656E51043F005015" {
		t.Error(got)
	}
}

func TestMistakesOfTheProgramPanic(t *testing.T) {
	for _, tag := range []Tag{0, 0x1F, 0x8000, 0x5F80, 0x5F8005, 0x8181, 0x5FC1C1, 0x5FC1C101, 0x5F0581} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("tag %v was written", tag)
				}
			}()
			New(tag)
		}()
	}
}

func TestTagKnowsItsForm(t *testing.T) {
	for tag, constructed := range map[Tag]bool{0x30: true, 0x02: false, 0x7F49: true, 0x5F50: false, 0x5FC105: false, 0xBF2001: true, 0x9F20: false} {
		if tag.Constructed() != constructed {
			t.Errorf("%v", tag)
		}
	}
	if s := Tag(0x02).String(); s != "02" {
		t.Error(s)
	}
}

func TestDecodeMakesATree(t *testing.T) {
	nodes, err := Decode(unhex("7F490881010182030100 01 8000"))
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Tag      Tag
		Value    string
		Children []node
	}
	var strip func(ns []Node) []node
	strip = func(ns []Node) (out []node) {
		for _, n := range ns {
			out = append(out, node{n.Tag, fmt.Sprintf("%X", n.Value), strip(n.Children)})
		}
		return out
	}
	want := []node{
		{0x7F49, "8101018203010001", []node{{0x81, "01", nil}, {0x82, "010001", nil}}},
		{0x80, "", nil},
	}
	if diff := cmp.Diff(want, strip(nodes)); diff != "" {
		t.Error(diff)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(unhex("7F4908810101820301000180005FC10500"))
	f.Add(unhex("30800000"))
	f.Add(unhex("8084FFFFFFFF00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		nodes, err := Decode(b)
		var raw [][]byte
		for _, n := range nodes {
			raw = append(raw, n.Raw)
		}
		if err == nil && !bytes.Equal(slices.Concat(raw...), b) {
			t.Errorf("%X is not the sum of its elements", b)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("error %v", err)
		}
		for e, err := range ParsePadded(b) {
			if err == nil && !e.Tag.valid() {
				t.Errorf("tag %v", e.Tag)
			}
		}
		Find(b, 0x30, 0x02)
	})
}

func Example() {
	b := New(0x61, New(0x4F, []byte{0xA0, 0x00}), New(0x50, []byte("token")))
	label, err := Find(b, 0x61, 0x50)
	fmt.Printf("%X: %s, %v\n", b, label, err)
	// Output: 610B4F02A0005005746F6B656E: token, <nil>
}
