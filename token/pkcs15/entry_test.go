package pkcs15

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/internal/tlv"
	"github.com/go-cryptoki/cryptoki/object"
)

// unhex reads hex with blanks, in which "quoted" text stands for itself.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for i, part := range strings.Split(s, `"`) {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.Join(strings.Fields(part), ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// Entries as pkcs15-init 0.23.0 wrote them.
var written = []struct {
	name string
	kind tlv.Tag
	der  string
	want object.Template
	file string
	bits int
}{
	{
		name: "RSA private key", kind: dirPrivate,
		der: `30 33 30 0F 0C 06 "rsakey" 03 02 06 C0 04 01 01 30 0E 04 01 45 03 02 05 20 03 02 03 B8 02 01 01
		      A1 10 30 0E 30 08 04 06 3F0050154B01 02 02 0800`,
		want: object.Template{
			object.AttrLabel.Is("rsakey"), object.AttrID.Is([]byte{0x45}), object.AttrPrivate.Is(true), object.AttrModifiable.Is(true),
			object.AttrSign.Is(true), object.AttrDecrypt.Is(false), object.AttrSensitive.Is(true), object.AttrExtractable.Is(false),
			object.AttrAlwaysSensitive.Is(true), object.AttrNeverExtractable.Is(true), object.AttrLocal.Is(true),
			object.AttrKeyType.Is(object.KeyRSA), object.AttrAlwaysAuthenticate.Is(false),
		},
		file: "3F0050154B01", bits: 2048,
	},
	{
		name: "EC private key", kind: dirPrivate,
		der: `A0 32 30 0E 0C 05 "eckey" 03 02 06 C0 04 01 01 30 0E 04 01 46 03 02 05 20 03 02 03 B8 02 01 02
		      A1 10 30 0E 30 08 04 06 3F0050154B02 02 02 0100`,
		want: object.Template{
			object.AttrLabel.Is("eckey"), object.AttrKeyType.Is(object.KeyEC), object.AttrSign.Is(true),
			object.AttrECParams.Is(curves[0].params),
		},
		file: "3F0050154B02", bits: 256,
	},
	{
		name: "key with user consent", kind: dirPrivate,
		der: `30 32 30 0E 0C 02 "uc" 03 02 06 C0 04 01 01 02 01 01 30 0E 04 01 45 03 02 05 20 03 02 07 80 02 01 01
		      A1 10 30 0E 30 08 04 06 3F0050154B01 02 02 0800`,
		want: object.Template{object.AttrAlwaysAuthenticate.Is(true), object.AttrLocal.Is(false), object.AttrNeverExtractable.Is(false)},
		file: "3F0050154B01", bits: 2048,
	},
	{
		name: "RSA public key", kind: dirPublic,
		der: `30 2F 30 0C 0C 06 "rsakey" 03 02 06 40 30 0D 04 01 45 03 02 01 02 01 01 00 02 01 00
		      A1 10 30 0E 30 08 04 06 3F0050155501 02 02 0800`,
		want: object.Template{
			object.AttrPrivate.Is(false), object.AttrVerify.Is(true), object.AttrEncrypt.Is(false), object.AttrModulusBits.Is(2048),
		},
		file: "3F0050155501", bits: 2048,
	},
	{
		name: "AES key", kind: dirSecret,
		der: `30 3B 30 0D 0C 04 "aesk" 03 02 06 C0 04 01 01 30 16 04 01 49 03 02 06 C0 03 02 07 80 02 01 01 A1 06 02 01 03 02 01 04
		      A0 04 30 02 02 00 A1 0C 30 0A 30 08 04 06 3F0050154D01`,
		want: object.Template{object.AttrEncrypt.Is(true), object.AttrDecrypt.Is(true), object.AttrKeyType.Is(object.KeyAES)},
		file: "3F0050154D01",
	},
	{
		name: "certificate", kind: dirCerts,
		der:  `30 1F 30 0A 0C 04 "cert" 03 02 06 40 30 03 04 01 47 A1 0C 30 0A 30 08 04 06 3F0050154301`,
		want: object.Template{object.AttrLabel.Is("cert"), object.AttrID.Is([]byte{0x47}), object.AttrTrusted.Is(false)},
		file: "3F0050154301",
	},
	{
		name: "data", kind: dirData,
		der:  `30 23 30 0A 0C 04 "dobj" 03 02 06 40 30 09 0C 03 "app" 06 02 2A03 A1 0A 30 08 04 06 3F0050154601`,
		want: object.Template{object.AttrApplication.Is("app"), object.AttrObjectID.Is([]byte{6, 2, 0x2A, 3}), object.AttrPrivate.Is(false)},
		file: "3F0050154601",
	},
	{
		name: "private data", kind: dirData,
		der:  `30 23 30 0E 0C 05 "pdobj" 03 02 06 C0 04 01 01 30 05 0C 03 "app" A1 0A 30 08 04 06 3F0050154501`,
		want: object.Template{object.AttrPrivate.Is(true), object.AttrApplication.Is("app")},
		file: "3F0050154501",
	},
}

func testApp() *app {
	return &app{
		df: []byte{0x3F, 0x00, 0x50, 0x15}, card: applet{serial: []byte{1}},
		info: tokenInfo{algorithms: []algorithm{{3, 0x1081}, {4, 0x1082}}},
	}
}

func TestEntriesOfAnotherWriterAreUnderstood(t *testing.T) {
	for _, w := range written {
		t.Run(w.name, func(t *testing.T) {
			raw := fixLengths(unhex(t, w.der))
			d := &dirFile{kind: w.kind, base: testApp().df}
			e, err := parseEntry(d, raw)
			if err != nil {
				t.Fatal(err)
			}
			known := testApp().known(e)
			for _, want := range w.want {
				if got, ok := known.Lookup(want.Type); !ok || !got.Equal(want) {
					t.Errorf("%v, not %v", got, want)
				}
			}
			if got := strings.ToUpper(hex.EncodeToString(e.path.file)); got != w.file {
				t.Errorf("file %s, not %s", got, w.file)
			}
			if e.bits != w.bits && w.bits != 0 {
				t.Errorf("%d bits, not %d", e.bits, w.bits)
			}
		})
	}
}

// fixLengths makes the outermost length right, so that the table can be read
// without counting.
func fixLengths(b []byte) []byte { return tlv.New(tlv.Tag(b[0]), b[2:]) }

// An entry that is changed keeps every element that was not.
func TestChangedEntryKeepsWhatItDoesNotKnow(t *testing.T) {
	hex := func(s string) []byte { return unhex(t, s) }
	rules := hex(`30 03 02 01 07`)
	algs := hex(`A1 03 02 01 07`)
	sub := hex(`A0 06 30 04 0C 02 "me"`)
	more := hex(`05 00`)
	raw := tlv.New(tagSeq,
		tlv.New(tagSeq, hex(`0C 06 "rsakey" 03 02 06 C0 04 01 01`), rules),
		tlv.New(tagSeq, hex(`04 01 45 03 02 05 20 03 02 03 B8 02 01 01`), algs),
		sub,
		tlv.New(tagContext+1, tlv.New(tagSeq, hex(`30 08 04 06 3F0050154B01 02 02 0800`), more)))
	d := &dirFile{kind: dirPrivate, base: testApp().df}
	old, err := parseEntry(d, raw)
	if err != nil {
		t.Fatal(err)
	}
	e := *old
	e.label, e.id = "a longer label", []byte{1, 2}
	e.edit(old)
	again, err := parseEntry(d, e.raw)
	if err != nil {
		t.Fatal(err)
	}
	if again.label != "a longer label" || !bytes.Equal(again.id, []byte{1, 2}) || again.usage != old.usage || again.bits != 2048 {
		t.Errorf("changed to %+v", again)
	}
	for _, kept := range [][]byte{rules, algs, sub, more, hex(`04 01 01`), hex(`03 02 03 B8 02 01 01`)} {
		if !bytes.Contains(e.raw, kept) {
			t.Errorf("lost %X: %X", kept, e.raw)
		}
	}
	before := e
	e.label = ""
	e.edit(&before)
	again, err = parseEntry(d, e.raw)
	if err != nil || again.label != "" {
		t.Errorf("label %q, %v", again.label, err)
	}
	e = *again
	e.label = "back"
	e.edit(again)
	if again, err = parseEntry(d, e.raw); err != nil || again.label != "back" {
		t.Errorf("label %q, %v", again.label, err)
	}
}

func TestBitStrings(t *testing.T) {
	for der, want := range map[string]bits{
		"0100":     0,
		"03020780": 1, "030206C0": 3, "03020640": 2, "03020520": 4, "030203B8": 1 | 4 | 8 | 16,
		"03020102": 1 << 6, "0302000D": 1<<4 | 1<<5 | 1<<7, "03020430": 1<<2 | 1<<3, "0303078080": 1 | 1<<8,
	} {
		if der == "0100" {
			der = "030100"
		}
		b := unhex(t, der)
		got, ok := parseBits(b[2:])
		if !ok || got != want {
			t.Errorf("%s: %b, not %b", der, got, want)
		}
		if again := want.der(); want != 0 && !bytes.Equal(again, b) {
			t.Errorf("%b is written as %X, not %s", want, again, der)
		}
	}
	for _, bad := range []string{"", "08", "FF"} {
		if _, ok := parseBits(unhex(t, bad)); ok {
			t.Errorf("%q is taken for a BIT STRING", bad)
		}
	}
}

func TestTokenInfoOfAnotherWriter(t *testing.T) {
	raw := fixLengths(unhex(t, `30 00 02 01 00 04 0A 00000000000000000001 0C 0C "Aventra Ltd." 80 09 "testtoken" 03 02 04 30
		A2 1D 30 1B 02 01 01 02 02 1081 05 00 03 02 02 0C 06 09 608648016503040101 02 01 00 A5 11 18 0F "20261123154900Z"`))
	got := parseTokenInfo(append(raw, 0, 0))
	want := tokenInfo{
		label: "testtoken", manufacturer: "Aventra Ltd.", serial: unhex(t, "00000000000000000001"),
		flags: 1<<2 | 1<<3, algorithms: []algorithm{{1, 0x1081}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(tokenInfo{}, algorithm{})); diff != "" {
		t.Error(diff)
	}
}

func TestPINObjects(t *testing.T) {
	so := unhex(t, `30 3B 30 1A 0C 14 "Security Officer PIN" 03 02 06 C0 30 03 04 01 FF
		A1 18 30 16 03 02 00 0D 0A 01 01 02 01 04 02 01 08 02 01 08 80 01 03 04 01 FF`)
	p, err := parsePIN(so)
	if err != nil {
		t.Fatal(err)
	}
	if p.user() || p.ref != 3 || p.min != 4 || p.max != 8 || p.pad != 0xFF || !p.flags.has(pinInitialized) {
		t.Errorf("%+v", p)
	}
	if got := pinObject("Security Officer PIN", idSO, refSO, 1<<pinInitialized|1<<pinPadded|1<<pinSO); !bytes.Equal(got, so) {
		t.Errorf("written as %X\nnot      as %X", got, so)
	}
	// What a card says of lengths is brought within what its commands carry.
	wild := pinObject("PIN", idUser, refUser, 1<<pinPadded)
	wild = bytes.Replace(wild, []byte{2, 1, 4, 2, 1, 8, 2, 1, 8}, []byte{2, 1, 0, 2, 1, 0, 2, 1, 0x7F}, 1)
	if p, err = parsePIN(wild); err != nil || p.min < 1 || p.max > pinBlock || p.stored != pinBlock {
		t.Errorf("%+v, %v", p, err)
	}
}

// A directory ends at the first byte that is no tag, whatever follows.
func TestDirectoryEnds(t *testing.T) {
	e := []byte{0x30, 0x02, 0x05, 0x00}
	for _, end := range [][]byte{nil, {0}, {0xFF}, {0, 0x30}, {0xFF, 0x30, 0x01}} {
		list, used, err := entries(append(bytes.Repeat(e, 3), end...))
		if err != nil || len(list) != 3 || used != 12 {
			t.Errorf("end %X: %d entries in %d bytes, %v", end, len(list), used, err)
		}
		if complete(append(bytes.Repeat(e, 3), end...)) != (len(end) > 0) {
			t.Errorf("end %X: completeness", end)
		}
	}
	if _, _, err := entries([]byte{0x30, 0x05, 0x00}); err == nil {
		t.Error("a cut entry is taken for whole")
	}
	if _, _, err := entries(bytes.Repeat(e, maxEntries+1)); err == nil {
		t.Error("no bound on entries")
	}
}

// Only what differs is written, from the end to the beginning.
func TestChangedRange(t *testing.T) {
	for _, c := range []struct {
		old, new string
		from, to int
	}{
		{"", "abc", 0, 3}, {"abc", "abc", 3, 3}, {"abc", "abd", 2, 3}, {"abc", "xbc", 0, 1}, {"abcd", "abXd", 2, 3}, {"ab", "abcd", 2, 4},
	} {
		if from, to := changed([]byte(c.old), []byte(c.new)); from != c.from || to != c.to {
			t.Errorf("%q to %q: %d to %d", c.old, c.new, from, to)
		}
	}
}

func FuzzCardContent(f *testing.F) {
	for _, w := range written {
		f.Add(fixLengths(unhex(f, w.der)))
	}
	f.Add(pinObject("PIN", idUser, refUser, 1<<pinPadded))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := testApp()
		parseODF(b, a.df)
		parseTokenInfo(b)
		parsePIN(b)
		parseFCI(b)
		(&sideFile{old: b}).parse()
		for kind := range dirClass {
			d := &dirFile{kind: kind, base: a.df, old: b}
			d.parse()
			for i, e := range d.entries {
				if e.node.Tag == 0 {
					damaged(d, i, e)
					continue
				}
				a.known(e)
				changed := *e
				changed.label += "x"
				changed.edit(e)
				again, err := parseEntry(d, changed.raw)
				if err != nil {
					t.Fatalf("a changed entry is malformed: %v\n%X\n%X", err, e.raw, changed.raw)
				}
				if again.label != changed.label && len(changed.label) < 100 {
					t.Fatalf("label %q, not %q\n%X\n%X", again.label, changed.label, e.raw, changed.raw)
				}
			}
		}
	})
}
