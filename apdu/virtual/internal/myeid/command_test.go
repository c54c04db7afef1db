package myeid_test

import (
	"strings"
	"testing"
)

func TestMalformedCommandsAreRefused(t *testing.T) {
	for _, tt := range []struct{ name, command, want string }{
		{"empty", "", "6700"},
		{"three bytes", "00A400", "6700"},
		{"Lc beyond the end", "00A4000005015015", "6700"},
		{"bytes after Le", "00A40000025015 0000", "6700"},
		{"extended case 2", "00B00000 000100", "6700"},
		{"extended case 3", "00A40000 000002 5015", "6700"},
		{"extended case 4", "00A40000 000002 5015 0000", "6700"},
		{"unknown instruction", "00010000", "6D00"},
		{"MANAGE CHANNEL is unknown", "0070000001", "6D00"},
		{"another channel", "01A40000", "6881"},
		{"another channel, chained", "12A40000", "6881"},
		{"a channel above three", "40A40000", "6881"},
		{"secure messaging", "0CA40000", "6882"},
		{"reserved class", "20A40000", "6E00"},
		{"proprietary class", "80A40000", "6E00"},
		{"A0 is for DELETE FILE", "A0A40000", "6E00"},
		{"PTS class", "FFA40000", "6E00"},
		{"READ BINARY without Le", "00B00000", "6700"},
		{"READ BINARY with data", "00B0000001 00 00", "6700"},
		{"UPDATE BINARY without data", "00D60000", "6700"},
		{"GET DATA without Le", "00CA01A0", "6700"},
		{"chained SELECT", "10A40000025015", "6884"},
		{"part without data", "10DA0180", "6700"},
	} {
		t.Run(tt.name, func(t *testing.T) { blank(t).sw(tt.command, tt.want) })
	}
}

func TestAppletInformationAndCapabilities(t *testing.T) {
	c := blank(t)
	for _, tt := range []struct{ command, want string }{
		{"00CA01A014", "4D79454944 050000 01020300000000000000 0001"},
		{"00CA01A000", "4D79454944 050000 01020300000000000000 0001"},
		{"00CA01AA0C", "01 000F 1000 00C0 0100 0209"},
	} {
		if got := c.ok(tt.command); got != strings.ReplaceAll(tt.want, " ", "") {
			t.Errorf("%s: %s, want %s", tt.command, got, tt.want)
		}
	}
	c.sw("00CA01FF00", "6A88")
	c.sw("00CA00A000", "6A88")
}

func TestLongAnswersComeInParts(t *testing.T) {
	c := blank(t)
	for _, command := range []string{"00CA01A005", "00CA01A007"} {
		head, sw := c.send(command)
		if want := map[string]string{"00CA01A005": "610F", "00CA01A007": "610D"}[command]; sw != want {
			t.Fatalf("%s: %s, want %s", command, sw, want)
		}
		middle, sw := c.send("00C0000003")
		if !strings.HasPrefix(sw, "61") {
			t.Fatalf("GET RESPONSE: %s", sw)
		}
		tail := c.ok("00C0000000")
		if whole := c.ok("00CA01A000"); head+middle+tail != whole {
			t.Errorf("in parts %s, whole %s", head+middle+tail, whole)
		}
	}
	c.sw("00C0000000", "6985")
}

func TestAnyOtherCommandDropsThePendingAnswer(t *testing.T) {
	for _, between := range []string{"00A40000023F00", "00FE0000", "80A40000", "00"} {
		c := blank(t)
		c.sw("00CA01A005", "610F")
		c.send(between)
		c.sw("00C0000000", "6985")
	}
}

func TestChallengesAreRandom(t *testing.T) {
	c := blank(t)
	a, b := c.ok("0084000020"), c.ok("0084000020")
	if len(a) != 64 || a == b {
		t.Errorf("challenges %s and %s", a, b)
	}
	c.sw("0084000000", "6F00")
	c.sw("0084010020", "6A86")
}

func TestAnOpenChainIsGivenUpForAnotherCommand(t *testing.T) {
	c := blank(t)
	c.create("11", "4B01", "0800", "000000", "0000")
	c.ok("10DA0180" + lv(strings.Repeat("AB", 200)))
	c.ok("00A4000000") // executed, not 6883
	c.sw("00DA0180"+lv(strings.Repeat("AB", 10)), "6986")
}

func TestAChainHasALimit(t *testing.T) {
	c := blank(t)
	part := "10DA0180" + lv(strings.Repeat("00", 255))
	for range 4096 / 255 {
		c.ok(part)
	}
	c.sw(part, "6700")
	c.ok(part) // a new chain
}
