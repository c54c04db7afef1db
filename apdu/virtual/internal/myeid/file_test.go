package myeid_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	mfFCI  = "6F1781027FFF82013883023F008603113FFF850200028A0101"
	appFCI = "6F2581027FFF820138830250158603111FFF850200028A0101840CA000000063504B43532D3135"
)

func TestABlankCardHasMasterFileAndApplication(t *testing.T) {
	c := blank(t)
	for _, tt := range []struct{ command, want string }{
		{"00A4000000", mfFCI},
		{"00A40000023F0000", mfFCI},
		{"00A4000002501500", appFCI},
		{"00A404000CA000000063504B43532D313500", appFCI},
		{"00A4040C0CA000000063504B43532D3135", ""},
		{"00A404000CA000000063504B43532D3135", ""}, // case 3: nothing wanted
		{"00CA01A100", ""},
		{"00CA01AC00", "FFFF"},
	} {
		if got := c.ok(tt.command); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.command, got, tt.want)
		}
	}
}

// tree makes 5015/{4401, DF 6000/{4401, DF 6100}}, 2F00 and DF 7000 under the
// master file.
func tree(t *testing.T) tester {
	c := blank(t)
	c.create("01", "2F00", "0010", "000000", "0000")
	c.create("38", "7000", "0100", "000000", "0000")
	c.ok("00A4000C025015")
	c.create("01", "4401", "0011", "000000", "0000")
	c.ok("00E00000" + lv("62"+lv("8102010082013883026000"+"84"+lv("D276000001"))))
	c.create("01", "4401", "0012", "000000", "0000")
	c.create("38", "6100", "0100", "000000", "0000")
	return c
}

func TestFormsOfSelect(t *testing.T) {
	c := tree(t)
	for _, tt := range []struct {
		name, from, command string
		want                string // FID and size in the FCI, or a status word
	}{
		{"child by identifier", "00A4080C025015", "00A4000002440100", "4401 0011"},
		{"parent by identifier", "00A4080C0450156000", "00A4000002501500", "5015"},
		{"the DF itself, as its own brother", "00A4080C025015", "00A4000002501500", "5015"},
		{"brother by identifier", "00A4080C025015", "00A4000002700000", "7000"},
		{"from an EF, its brother", "00A4080C0450154401", "00A4000002600000", "6000"},
		{"child before brother", "00A4080C0450156000", "00A4000002440100", "4401 0012"},
		{"grandchild is too far", "00A4080C025015", "00A4000002610000", "6A82"},
		{"child DF", "00A4080C025015", "00A4010002600000", "6000"},
		{"child DF, but it is an EF", "00A4080C025015", "00A4010002440100", "6A82"},
		{"child EF", "00A4080C025015", "00A4020002440100", "4401 0011"},
		{"child EF, but it is a DF", "00A4080C025015", "00A4020002600000", "6A82"},
		{"parent", "00A4080C0450156000", "00A4030000", "5015"},
		{"parent of an EF", "00A4080C0450154401", "00A4030000", "5015"},
		{"parent of the master file", "00A4000C023F00", "00A4030000", "6A82"},
		{"parent with data", "00A4080C0450156000", "00A4030002501500", "6A87"},
		{"path", "00A4000C023F00", "00A408000650156000440100", "4401 0012"},
		{"path with the master file before", "00A4000C023F00", "00A40800083F005015600044 01 00", "4401 0012"},
		{"path through an EF", "00A4000C023F00", "00A4080006501544014401 00", "6A82"},
		{"path of odd length", "00A4000C023F00", "00A408000350154400", "6A87"},
		{"path from the current DF", "00A4080C025015", "00A409000460004401 00", "4401 0012"},
		{"path from an EF's DF", "00A4080C0450154401", "00A409000460004401 00", "4401 0012"},
		{"no path", "00A4000C023F00", "00A4080000", "6A87"},
		{"name", "00A4000C023F00", "00A4040005D27600000100", "6000"},
		{"beginning of a name", "00A4000C023F00", "00A4040003D2760000", "6000"},
		{"unknown name", "00A4000C023F00", "00A4040003D2770000", "6A82"},
		{"name too long", "00A4000C023F00", "00A40400" + lv(strings.Repeat("AA", 17)) + "00", "6A87"},
		{"no name", "00A4000C023F00", "00A4040000", "6A87"},
		{"FCP is not answered", "00A4000C023F00", "00A4000402501500", "6A86"},
		{"next occurrence is unknown", "00A4000C023F00", "00A40402 02 A000 00", "6A86"},
		{"unknown form", "00A4000C023F00", "00A4050002501500", "6A86"},
		{"missing", "00A4000C023F00", "00A4000002123400", "6A82"},
		{"identifier of three bytes", "00A4000C023F00", "00A400000350154400", "6A87"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.TB = t
			c.ok(tt.from)
			data, sw := c.send(tt.command)
			got := sw
			if sw == "9000" {
				got = data[22:26]
				if len(tt.want) > 4 {
					got += " " + data[8:12]
				}
			}
			if got != tt.want {
				t.Errorf("%s: %s, want %s", tt.command, got, tt.want)
			}
		})
	}
}

func TestAFailedSelectKeepsTheSelection(t *testing.T) {
	c := tree(t)
	c.ok("00A4080C0450154401")
	c.sw("00A4000002999900", "6A82")
	c.ok("00B0000001")
}

func TestCreateFileChecksItsParameters(t *testing.T) {
	const size, kind, id = "80020010", "820101", "83024401"
	for _, tt := range []struct{ name, fcp, want string }{
		{"minimal", size + kind + id, "9000"},
		{"size of one byte", "800110" + kind + id, "9000"},
		{"padding between objects", "00" + size + "FF00" + kind + id, "9000"},
		{"shareable", size + "820141" + id, "9000"},
		{"descriptor with data coding", size + "82020121" + id, "9000"},
		{"no size", kind + id, "6984"},
		{"no type", size + id, "6984"},
		{"no identifier", size + kind, "6984"},
		{"size twice", size + size + kind + id, "6984"},
		{"both sizes", size + "81020010" + kind + id, "6984"},
		{"identifier twice", size + kind + id + id, "6984"},
		{"size beyond offsets", "80028000" + kind + id, "6984"},
		{"size of three bytes", "8003000010" + kind + id, "6984"},
		{"unknown type", size + "820102" + id, "6984"},
		{"unknown tag", size + kind + id + "880101", "6984"},
		{"empty object", size + kind + id + "8500", "6984"},
		{"identifier 0000", size + kind + "83020000", "6984"},
		{"identifier of the master file", size + kind + "83023F00", "6984"},
		{"identifier of the current DF", size + kind + "83023FFF", "6984"},
		{"identifier FFFF", size + kind + "8302FFFF", "6984"},
		{"EF with a name", size + kind + id + "8401AA", "6984"},
		{"DF with size in bytes", size + "820138" + id, "6984"},
		{"DF", "81020100" + "820138" + id, "9000"},
		{"DF with a name", "81020100" + "820138" + id + "8402A0FF", "9000"},
		{"DF with the application's name", "81020100" + "820138" + id + "840CA000000063504B43532D3135", "6A89"},
		{"name too long", "81020100" + "820138" + id + "84" + lv(strings.Repeat("AA", 17)), "6984"},
		{"access condition of two bytes", size + kind + id + "86020000", "6984"},
		{"property of one byte", size + kind + id + "850100", "6984"},
		{"identifier is taken", size + kind + "83025015", "6A89"},
		{"too large for the card", "80027FFF" + kind + id, "9000"},
		{"RSA 2048", "81020800" + "820111" + id, "9000"},
		{"RSA 512 is too short", "81020200" + "820111" + id, "6A81"},
		{"RSA 8192 is too long", "81022000" + "820111" + id, "6A81"},
		{"P-521", "81020209" + "820122" + id, "9000"},
		{"P-192 is not offered", "810200C0" + "820122" + id, "6A81"},
		{"secp256k1 is not known", "81020100" + "820123" + id, "6984"},
		{"AES-192", "810200C0" + "820129" + id, "9000"},
		{"AES of 64 bits", "81020040" + "820129" + id, "6A81"},
		{"DES", "81020040" + "820119" + id, "9000"},
		{"generic secret", "81020100" + "820141" + id, "9000"},
	} {
		t.Run(tt.name, func(t *testing.T) { blank(t).sw("00E00000"+lv("62"+lv(tt.fcp)), tt.want) })
	}
	for _, body := range []string{"62", "6F04" + size, "6205" + size, "6203" + size} {
		blank(t).sw("00E00000"+lv(body), "6984")
	}
	blank(t).sw("00E00001"+lv("6204"+size), "6A86")
}

func TestANewFileIsErasedAndSelected(t *testing.T) {
	c := blank(t)
	c.create("01", "2F00", "0010", "123456", "0000")
	if got := c.ok("00B0000000"); got != strings.Repeat("FF", 16) {
		t.Errorf("content %s", got)
	}
	if got, want := c.ok("00A40000022F0000"), "6F1780020010820101830 22F008603123456850200008A0101"; got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("FCI %s, want %s", got, want)
	}
}

func TestReadUpdateErase(t *testing.T) {
	c := blank(t)
	c.create("01", "2F00", "0140", "000000", "0000")
	c.ok("00D60000" + lv(strings.Repeat("AA", 255)))
	c.ok("00D600FF" + lv(strings.Repeat("BB", 65)))
	for _, tt := range []struct{ command, data, sw string }{
		{"00B0000002", "AAAA", "9000"},
		{"00B000FE02", "AABB", "9000"},
		{"00B0013E02", "BBBB", "9000"},
		{"00B0013E00", "BBBB", "9000"}, // Le 00: up to the end
		{"00B0013E03", "BBBB", "6282"},
		{"00B0014001", "", "6282"},
		{"00B07FFF00", "", "6282"},
		{"00B0800001", "", "6A86"}, // no short identifiers
		{"00D6014001CC", "", "6B00"},
		{"00D6013F02CCCC", "", "6B00"},
		{"00D6800001CC", "", "6A86"},
		{"000E0141", "", "6B00"},
		{"000E8000", "", "6A86"},
		{"000E013E", "", "9000"},
		{"00B0013D00", "BBFFFF", "9000"},
		{"000E0140", "", "9000"},
		{"000E0000", "", "9000"},
		{"00B0000003", "FFFFFF", "9000"},
	} {
		if data, sw := c.send(tt.command); data != tt.data || sw != tt.sw {
			t.Errorf("%s: %s %s, want %s %s", tt.command, data, sw, tt.data, tt.sw)
		}
	}
}

func TestFilesThatAreNotTransparent(t *testing.T) {
	c := blank(t)
	for _, command := range []string{"00B0000001", "00D6000001AA", "000E0000", "00DA01A010" + strings.Repeat("00", 16)} {
		c.ok("00A4000C023F00")
		c.sw(command, "6986") // a DF is selected
	}
	c.create("29", "4D01", "0080", "000000", "0008")
	c.sw("00B0000010", "6985")
	c.sw("00D6000001AA", "6985")
	c.sw("000E0000", "6985")
}

func TestDeletedFilesAreGoneWithAllBelow(t *testing.T) {
	c := tree(t)
	c.ok("00A4080C0450156000")
	c.ok("A0E40000")
	c.sw("00A408000650156000440100", "6A82")
	c.sw("00A4040005D27600000100", "6A82")
	// The DF that it was in is selected now.
	if got := c.ok("00CA01A100"); got != "4401" {
		t.Errorf("children %s, want 4401", got)
	}
	c.ok("00A4080C0450154401")
	c.ok("00E40000")
	c.sw("00A408000450154401 00", "6A82")
	c.sw("00E40000", "6985") // 5015 is permanent
	c.ok("00A4000C023F00")
	c.sw("A0E40000", "6985")
	c.ok("00A4080C027000")
	c.sw("00E4000100", "6A86")
	c.sw("00E4000002700000", "6700")
}

func TestListsOfFiles(t *testing.T) {
	c := blank(t)
	c.ok("00A4000C025015")
	c.create("01", "4401", "0001", "000000", "0000")
	c.create("11", "4B01", "0800", "000000", "0000")
	c.create("22", "4B02", "0100", "000000", "0000")
	c.create("29", "4D01", "0080", "000000", "0000")
	c.create("19", "4D02", "00C0", "000000", "0000")
	c.create("41", "4D03", "0100", "000000", "0000")
	c.create("38", "6000", "0100", "000000", "0000")
	c.ok("00A4030C")
	for p2, want := range map[string]string{
		"A1": "44014B014B024D014D024D036000",
		"A2": "44014D03",
		"A3": "6000",
		"A4": "4B01",
		"A5": "4B02",
		"A6": "4D014D02",
	} {
		if got := c.ok("00CA01" + p2 + "00"); got != want {
			t.Errorf("list %s: %s, want %s", p2, got, want)
		}
	}
}

func TestTheCardHasACapacity(t *testing.T) {
	c := blank(t)
	n := 0
	for ; n < 1000; n++ {
		_, sw := c.send(fmt.Sprintf("00E000000D620B 80021000 820101 8302%04X", 0x4000+n))
		if sw == "6A84" {
			break
		}
		if sw != "9000" {
			t.Fatalf("file %d: %s", n, sw)
		}
	}
	if n != 15 {
		t.Errorf("%d files of 4 KiB on a card of 64 KiB, want 15", n)
	}
	c.sw("00E000000D620B 81021000 820111 83024B01", "9000") // a key still fits
	c.sw("00A4000C024000", "9000")
	c.ok("00E40000")
	c.ok("00E000000D620B 80021000 820101 83024000")
}

func TestTheChangeCounterGrowsWithEveryWrite(t *testing.T) {
	c := blank(t)
	counter := func() string { return c.ok("00CA01A000")[36:] }
	for i, command := range []string{
		"00E000000D620B 80020010 820101 83022F00",
		"00D6000001AA",
		"000E0000",
		"00E40000",
		"00E000000D620B 81020100 820122 83024B01",
		"00460000",
		"00E000000D620B 81020080 820129 83024D01",
		"00DA01A010" + strings.Repeat("11", 16),
		"00DA01E008FFFF113FFF111FFF",
	} {
		before := counter()
		c.ok(command)
		if after := counter(); after <= before {
			t.Errorf("command %d: counter %s, then %s", i, before, after)
		}
	}
	before := counter()
	c.ok("00A4000C023F00")
	c.sw("00D6000001AA", "6986")
	if after := counter(); after != before {
		t.Errorf("reading and failing moved the counter from %s to %s", before, after)
	}
}

func TestInitialiseAppletWipesTheCard(t *testing.T) {
	c := active(t)
	c.verifyUser()
	c.create("01", "4401", "0010", "111FFF", "0000")
	c.sw("00DA01E008FFFF113FFF111FFF", "6982") // the SO's right
	c.ok("0020000308" + soPIN)
	c.sw("00DA01E003FFFF11", "6700")
	c.ok("00DA01E008FFFF222222333333")
	c.sw("00A408000450154401 00", "6A82")
	c.sw("0020000108"+userPIN, "6983") // no PIN there any more
	if got := c.ok("00A4000002501500"); !strings.Contains(got, "8603333333") || !strings.Contains(got, "8A0101") {
		t.Errorf("FCI of the application: %s", got)
	}
}

func TestActivateAppletEndsTheCreationState(t *testing.T) {
	c := blank(t)
	c.sw("00440000"+lv("A000000063504B43532D3135"), "6A86")
	c.sw("00440400"+lv("A000000063504B43532D3136"), "6A82")
	c.ok("00440400" + lv("A000000063504B43532D3135"))
	c.ok("00440400" + lv("A000000063504B43532D3135"))
	if got := c.ok("00A4000000"); !strings.HasSuffix(got, "8A0107") {
		t.Errorf("FCI %s", got)
	}
	c.sw("00DA010113"+userPIN+userPUK+"030A00", "6982")
	if got := c.ok("00CA01AC00"); got != "0000" {
		t.Errorf("access state %s", got)
	}
}

func TestSessionObjectsGoWithThePower(t *testing.T) {
	c := blank(t)
	c.ok("00A4000C025015")
	c.create("41", "4D01", "0100", "000000", "0009")
	c.create("29", "4D02", "0080", "000000", "0008")
	c.card.Reset()
	if got := c.ok("00CA01A100"); got != "5015" {
		t.Errorf("after a reset the master file is not selected: %s", got)
	}
	c.ok("00A4000C025015")
	if got := c.ok("00CA01A100"); got != "4D02" {
		t.Errorf("children %s, want 4D02", got)
	}
}
