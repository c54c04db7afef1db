package myeid_test

import (
	"strings"
	"testing"
)

// pinCard makes a PIN 1 by the bytes after code and PUK, and PIN 3 with some
// flags, and activates the card.
func pinCard(t *testing.T, tail, flags3 string) tester {
	c := blank(t)
	c.ok("00DA0101" + lv(userPIN+userPUK+tail))
	c.ok("00DA0103" + lv(soPIN+soPIN+"030A"+flags3))
	c.ok("00440400" + lv("A000000063504B43532D3135"))
	return c
}

const (
	wrongPIN = "3939393939393939"
	newPIN   = "35353535FFFFFFFF"
)

// TestPINs tells stories: commands and the status words that answer them.
func TestPINs(t *testing.T) {
	type step struct{ command, want string }
	for _, tt := range []struct {
		name         string
		tail, flags3 string
		steps        []step
	}{
		{"verify", "030A00", "00", []step{
			{"00200001", "63C3"}, {"0020000108" + userPIN, "9000"}, {"00200001", "9000"}, {"00200003", "63C3"},
		}},
		{"a short block is padded", "030A00", "00", []step{{"002000010431313131", "9000"}}},
		{"00 and FF pad alike", "030A00", "00", []step{{"0020000108" + "3131313100000000", "9000"}}},
		{"padding is not any byte", "030A00", "00", []step{{"0020000108" + "31313131FFFFFFFE", "63C2"}}},
		{"too long a block", "030A00", "00", []step{{"0020000109" + userPIN + "FF", "6700"}, {"00200001", "63C3"}}},
		{"references", "030A00", "00", []step{
			{"00200000", "6A86"}, {"0020000F", "6A86"}, {"00200081", "6A86"}, {"00200101", "6A86"},
			{"0020000F08" + userPIN, "6A86"}, {"0024000F10" + userPIN + newPIN, "6A86"}, {"002C000010" + userPUK + newPIN, "6A86"},
		}},
		{"a PIN that was never set is blocked", "030A00", "00", []step{
			{"00200002", "6983"}, {"0020000208" + userPIN, "6983"}, {"0020000208FFFFFFFFFFFFFFFF", "6983"}, {"002C000210" + "0000000000000000" + newPIN, "6983"},
		}},
		{"wrong codes count down and block", "030A00", "00", []step{
			{"0020000108" + wrongPIN, "63C2"}, {"0020000108" + wrongPIN, "63C1"}, {"00200001", "63C1"},
			{"0020000108" + wrongPIN, "6983"}, {"00200001", "6983"}, {"0020000108" + userPIN, "6983"},
			{"0024000110" + userPIN + newPIN, "6983"},
		}},
		{"success gives all tries back", "030A00", "00", []step{
			{"0020000108" + wrongPIN, "63C2"}, {"0020000108" + userPIN, "9000"}, {"002E0000", "9000"}, {"00200001", "63C3"},
		}},
		{"a wrong code takes the verification back", "030A00", "00", []step{
			{"0020000108" + userPIN, "9000"}, {"0020000108" + wrongPIN, "63C2"}, {"00200001", "63C2"},
		}},
		{"change", "030A00", "00", []step{
			{"0024000110" + wrongPIN + newPIN, "63C2"}, {"0024000110" + userPIN + newPIN, "9000"},
			{"0020000108" + userPIN, "63C2"}, {"0020000108" + newPIN, "9000"},
		}},
		{"change of other lengths", "030A00", "00", []step{
			{"00240001", "6700"}, {"0024000107" + userPIN[2:], "6700"}, {"002400010F" + userPIN[2:] + newPIN, "6700"}, {"0024010110" + userPIN + newPIN, "6A86"},
		}},
		{"too short a new code costs no try", "030A00", "00", []step{
			{"0024000110" + userPIN + "353535FFFFFFFFFF", "6700"}, {"0024000110" + wrongPIN + "353535FFFFFFFFFF", "6700"}, {"00200001", "63C3"},
		}},
		{"least length", "030A0000000604", "00", []step{
			{"0024000110" + userPIN + "3535353535FFFFFF", "6700"}, {"0024000110" + userPIN + "353535353535FFFF", "9000"},
		}},
		{"unblock", "030A00", "00", []step{
			{"0020000108" + wrongPIN, "63C2"}, {"0020000108" + wrongPIN, "63C1"}, {"0020000108" + wrongPIN, "6983"},
			{"002C000110" + wrongPIN + newPIN, "63C9"}, {"002C000110" + userPUK + newPIN, "9000"}, {"0020000108" + newPIN, "9000"},
		}},
		{"the PUK blocks, too", "030200", "00", []step{
			{"002C000110" + wrongPIN + newPIN, "63C1"}, {"002C000110" + wrongPIN + newPIN, "6983"}, {"002C000110" + userPUK + newPIN, "6983"},
			{"0020000108" + userPIN, "9000"},
		}},
		{"locked until changed", "030A01", "00", []step{
			{"00200001", "6985"}, {"0020000108" + userPIN, "6985"}, {"0024000110" + userPIN + newPIN, "9000"}, {"0020000108" + newPIN, "9000"},
		}},
		{"locked again when unblocked", "030A02", "00", []step{
			{"0020000108" + userPIN, "9000"}, {"002E0000", "9000"}, {"002C000110" + userPUK + newPIN, "9000"},
			{"0020000108" + newPIN, "6985"}, {"0024000110" + newPIN + userPIN, "9000"}, {"0020000108" + userPIN, "9000"},
		}},
		{"the administrator sets a PIN", "030A10", "20", []step{
			{"0024000108" + newPIN, "6982"}, {"0020000308" + soPIN, "9000"}, {"0024000108" + newPIN, "9000"}, {"0020000108" + newPIN, "9000"},
		}},
		{"the administrator frees a blocked PIN", "010A10", "20", []step{
			{"0020000108" + wrongPIN, "6983"}, {"0020000308" + soPIN, "9000"}, {"0024000108" + newPIN, "9000"}, {"0020000108" + newPIN, "9000"},
		}},
		{"the administrator sets no short PIN", "030A10", "20", []step{
			{"0020000308" + soPIN, "9000"}, {"0024000108" + "35FFFFFFFFFFFFFF", "6700"}, {"0020000108" + userPIN, "9000"},
		}},
		{"a PIN that the administrator may not set", "030A00", "20", []step{
			{"0020000308" + soPIN, "9000"}, {"0024000108" + newPIN, "6982"}, {"002C000108" + newPIN, "6982"},
		}},
		{"a PIN that was never set is not the administrator's either", "030A10", "20", []step{
			{"0020000308" + soPIN, "9000"}, {"0024000208" + newPIN, "6982"},
		}},
		{"a verified PIN is not the administrator", "030A10", "00", []step{
			{"0020000308" + soPIN, "9000"}, {"0024000108" + newPIN, "6982"},
		}},
		{"the global unblocker unblocks", "010A04", "08", []step{
			{"0020000108" + wrongPIN, "6983"}, {"002C000108" + newPIN, "6982"}, {"0020000308" + soPIN, "9000"},
			{"0024000108" + newPIN, "6982"}, {"002C000108" + newPIN, "9000"}, {"0020000108" + newPIN, "9000"},
		}},
		{"log out of one", "030A00", "00", []step{
			{"0020000108" + userPIN, "9000"}, {"0020000308" + soPIN, "9000"}, {"002E0001", "9000"}, {"00200001", "63C3"}, {"00200003", "9000"},
		}},
		{"log out of all", "030A00", "00", []step{
			{"0020000108" + userPIN, "9000"}, {"0020000308" + soPIN, "9000"}, {"002E0000", "9000"}, {"00200001", "63C3"}, {"00200003", "63C3"},
		}},
		{"log the administrator out", "030A10", "20", []step{
			{"0020000308" + soPIN, "9000"}, {"002EA000", "9000"}, {"00200003", "9000"}, {"0024000108" + newPIN, "6982"},
		}},
		{"log the unblocker out", "030A04", "08", []step{
			{"0020000308" + soPIN, "9000"}, {"002EB000", "9000"}, {"002C000108" + newPIN, "6982"},
		}},
		{"log out of nothing", "030A00", "00", []step{
			{"002E000F", "6A86"}, {"002EA001", "6A86"}, {"002E0100", "6A86"}, {"002E000001AA", "6700"},
		}},
		{"selection keeps PINs", "030A00", "00", []step{
			{"0020000108" + userPIN, "9000"}, {"00A404000CA000000063504B43532D313500", "9000"}, {"00A4000000", "9000"}, {"00200001", "9000"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := pinCard(t, tt.tail, tt.flags3)
			for _, s := range tt.steps {
				c.sw(s.command, s.want)
			}
		})
	}
}

func TestAResetForgetsPINs(t *testing.T) {
	c := active(t)
	c.verifyUser()
	c.sw("0020000308"+wrongPIN, "63C2")
	c.card.Reset()
	c.sw("00200001", "63C3")
	c.sw("00200003", "63C2") // tries are not given back
}

func TestTheQuirkThatAWrongCodeLeavesTheVerification(t *testing.T) {
	p := persona()
	p.KeepVerified = true
	c := pinCard(t, "030A00", "00")
	quirky := tester{t, newWith(p)}
	quirky.ok("00DA0101" + lv(userPIN+userPUK+"030A00"))
	quirky.ok("00440400" + lv("A000000063504B43532D3135"))
	for _, card := range []tester{c, quirky} {
		card.verifyUser()
		card.sw("0020000108"+wrongPIN, "63C2")
	}
	c.sw("00200001", "63C2")
	quirky.sw("00200001", "9000")
}

func TestAccessState(t *testing.T) {
	c := pinCard(t, "030A08", "20")
	for _, tt := range []struct{ command, want string }{
		{"00A4000000", "0000"},
		{"0020000108" + userPIN, "4001"},
		{"0020000308" + soPIN, "C005"},
		{"002E0001", "C004"},
		{"002E0000", "0000"},
	} {
		c.ok(tt.command)
		if got := c.ok("00CA01AC00"); got != tt.want {
			t.Errorf("after %s: %s, want %s", tt.command, got, tt.want)
		}
	}
}

func TestPINInformation(t *testing.T) {
	c := pinCard(t, "030A14", "20")
	c.sw("0020000108"+wrongPIN, "63C2")
	c.sw("002C000110"+wrongPIN+newPIN, "63C9")
	for p2, want := range map[string]string{
		"B1": "0209030A1400000404",
		"B3": "030A030A2000000404",
		"BE": strings.Repeat("FF", 9),
	} {
		if got := c.ok("00CA01" + p2 + "00"); got != want {
			t.Errorf("PIN information %s: %s, want %s", p2, got, want)
		}
	}
	c.sw("00CA01B000", "6A88")
	c.sw("00CA01BF00", "6A88")
}

func TestInitialisePIN(t *testing.T) {
	for _, tt := range []struct{ tail, info, want string }{
		{"", "050A050A0000000404", "9000"},
		{"03", "030A030A0000000404", "9000"},
		{"FFFF", "0F0F0F0F0000000404", "9000"},
		{"030AFF", "030A030ABF00000404", "9000"},
		{"030A00000A0608", "030A030A00000A0608", "9000"},
		{"030A0000000009", "030A030A0000000404", "9000"},
		{"030A0001", "", "6984"},
	} {
		c := blank(t)
		c.sw("00DA0102"+lv(userPIN+userPUK+tt.tail), tt.want)
		if tt.want == "9000" {
			if got := c.ok("00CA01B200"); got != tt.info {
				t.Errorf("%q: %s, want %s", tt.tail, got, tt.info)
			}
		}
	}
	c := blank(t)
	c.sw("00DA0102"+lv(userPIN), "6700")
	c.sw("00DA010F"+lv(userPIN+userPUK), "6986") // no PIN, and no key is selected
	c.sw("00DA0002"+lv(userPIN+userPUK), "6A86")
}
