package myeid_test

import (
	"strings"
	"testing"
)

// TestAccessConditions walks each nibble through always, a PIN, another PIN
// and never.
func TestAccessConditions(t *testing.T) {
	const content = "00D6000001AA"
	for _, tt := range []struct {
		name, kind, size, prop string
		acl                    string // with x for the nibble
		command                string
	}{
		{"read", "01", "0010", "0000", "x00000", "00B0000001"},
		{"update", "01", "0010", "0000", "0x0000", content},
		{"erase", "01", "0010", "0000", "0x0000", "000E0000"},
		{"delete EF", "01", "0010", "0000", "00x000", "00E40000"},
		{"delete DF", "38", "0010", "0000", "00x000", "A0E40000"},
		{"delete key", "22", "0100", "0000", "00x000", "00E40000"},
		{"create EF", "38", "0010", "0000", "x00000", "00E000000D620B 80020010 820101 83024499"},
		{"create DF", "38", "0010", "0000", "0x0000", "00E000000D620B 81020010 820138 83026499"},
		{"import a key", "29", "0080", "0000", "0x0000", "00DA01A010" + strings.Repeat("11", 16)},
		{"generate a key", "22", "0100", "0000", "000x00", "00460000"},
	} {
		for _, who := range []struct {
			nibble, verify, want string
		}{
			{"0", "", "9000"},
			{"1", "", "6982"},
			{"1", "0020000108" + userPIN, "9000"},
			{"1", "0020000308" + soPIN, "6982"},
			{"3", "0020000308" + soPIN, "9000"},
			{"E", "0020000108" + userPIN, "6982"},
			{"F", "0020000108" + userPIN, "6982"},
		} {
			t.Run(tt.name+"/"+who.nibble+who.verify, func(t *testing.T) {
				c := active(t)
				c.verifyUser()
				c.create(tt.kind, "4400", tt.size, strings.Replace(tt.acl, "x", who.nibble, 1), tt.prop)
				c.ok("002E0000")
				if who.verify != "" {
					c.ok(who.verify)
				}
				c.sw(tt.command, who.want)
			})
		}
	}
}

func TestBeforeActivationEverythingIsAllowed(t *testing.T) {
	c := blank(t)
	c.ok("00DA010113" + userPIN + userPUK + "030A00")
	c.create("01", "4401", "0010", "FFFFFF", "0000")
	c.ok("00D6000001AA")
	c.ok("00B0000001")
	c.ok("00200001") // every PIN counts as verified
	c.ok("0020000E")
	c.ok("00E40000")
}

func TestKeysAreUsedOnlyUnderTheirCondition(t *testing.T) {
	c := active(t)
	c.verifyUser()
	c.create("22", "4B01", "0100", "1111FF", "0000")
	c.ok("00460000")
	c.ok("002E0000")
	c.ok("002241B60A80010481024B01840100") // the environment can be set
	c.sw("002A9E9A20"+strings.Repeat("11", 32)+"00", "6982")
	c.verifyUser()
	c.ok("002A9E9A20" + strings.Repeat("11", 32) + "00")
	c.ok("002A9E9A20" + strings.Repeat("11", 32) + "00")
	c.ok("002E0001")
	c.sw("002A9E9A20"+strings.Repeat("11", 32)+"00", "6982")
	// The public key is for everybody.
	c.ok("00CA018600")
}

func TestAConsentKeyDropsItsPINAfterEachUse(t *testing.T) {
	c := active(t)
	c.verifyUser()
	c.create("22", "4B01", "0100", "1111FF", "1000")
	c.ok("00460000")
	c.ok("0020000308" + soPIN)
	c.ok("002241B60A80010481024B01840100")
	for range 2 {
		c.verifyUser()
		c.ok("002A9E9A20" + strings.Repeat("11", 32) + "00")
		c.sw("00200001", "63C3")
		c.ok("00200003") // of the SO PIN there is no talk
		c.sw("002A9E9A20"+strings.Repeat("11", 32)+"00", "6982")
	}
	// A failed use is one, too.
	c.verifyUser()
	c.sw("002A9E9A21"+strings.Repeat("11", 33)+"00", "6700")
	c.sw("00200001", "63C3")
}

func TestOneMessageToACipherIsOneUse(t *testing.T) {
	c := active(t)
	c.verifyUser()
	c.create("29", "4D01", "0080", "1111FF", "1000")
	c.ok("00DA01A010" + strings.Repeat("11", 16))
	c.ok("002281B81C80010081024D018301008710" + strings.Repeat("00", 16))
	block := strings.Repeat("22", 16)
	c.ok("102A848010" + block + "10")
	c.ok("102A848010" + block + "10")
	c.ok("002A848010" + block + "10")
	c.sw("102A848010"+block+"10", "6982")
	// Logging out ends the message.
	c.verifyUser()
	c.ok("102A848010" + block + "10")
	c.ok("002E0000")
	c.sw("002A848010"+block+"10", "6982")
	// Consent to a message is none to wrap a key with it.
	c.verifyUser()
	c.create("29", "4D02", "0080", "0011FF", "0008")
	c.ok("00DA01A010" + block)
	c.verifyUser()
	c.ok("002281B81D 80010A 81024D01 83024D02 8710" + strings.Repeat("00", 16))
	c.sw("102A848010"+block+"10", "6985")
	c.sw("002A840010", "6982")
}

func TestTheQuirkThatUseWithoutPINIsNotAConditionOfSecurity(t *testing.T) {
	p := persona()
	p.UseNotAllowed = true
	c := tester{t, newWith(p)}
	c.create("22", "4B01", "0100", "F000FF", "0000")
	c.ok("00460000")
	c.ok("00440400" + lv("A000000063504B43532D3135"))
	c.ok("002241B60A80010481024B01840100")
	c.sw("002A9E9A20"+strings.Repeat("11", 32)+"00", "6985")
}
