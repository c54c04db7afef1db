package p11kit

import (
	"encoding/hex"
	"testing"

	"github.com/go-cryptoki/cryptoki/object"
)

// Values travel by the class that clients have for the attribute's type, which
// differs between their versions; seen of p11-kit 0.24.1, 0.25.5 and 0.26.5.
func TestValuesTravelByClass(t *testing.T) {
	const (
		asByte   = "01"
		asNumber = "0000000000000001"
		asArray  = "0000000101"
	)
	for _, x := range []struct {
		typ          object.Type
		old, newer   string
		size         string // what a C caller sees
		value, newly string // as the module has it
	}{
		{object.AttrToken.Type, asByte, asByte, "00000001", "01", "01"},
		{object.AttrSecondaryAuth.Type, asByte, asByte, "00000001", "01", "01"},
		{object.AttrColor.Type, asByte, asByte, "00000001", "01", "01"},
		{object.AttrDestroyable.Type, asArray, asArray, "00000001", "01", "01"},
		{object.AttrClass.Type, asNumber, asNumber, "00000008", "0100000000000000", "0100000000000000"},
		{object.AttrJavaMIDPSecurityDomain.Type, asNumber, asNumber, "00000008", "0100000000000000", "0100000000000000"},
		{object.AttrPixelX.Type, asNumber, asNumber, "00000008", "0100000000000000", "0100000000000000"},
		{object.AttrBitsPerPixel.Type, asNumber, asNumber, "00000008", "0100000000000000", "0100000000000000"},
		{0x80010001, asArray, asByte, "00000001", "01", "01"},
		{0x80010005, asArray, asNumber, "00000008", "01", "0100000000000000"},
	} {
		for offered, sent := range []string{x.old, x.newer, x.newer} {
			var w writer
			w.u32(1)
			w.u32(uint32(x.typ))
			w.byte(1)
			for _, part := range []string{x.size, sent} {
				b, err := hex.DecodeString(part)
				if err != nil {
					t.Fatal(err)
				}
				w.b = append(w.b, b...)
			}
			want := x.value
			if offered > 0 {
				want = x.newly
			}
			r := &reader{b: w.b, offered: byte(offered)}
			got := r.template(0)
			if r.err != nil || len(r.b) != 0 || len(got) != 1 || hex.EncodeToString(got[0].Bytes()) != want {
				t.Errorf("version %d, %s: %v, %d bytes left, %v", offered, x.typ, got, len(r.b), r.err)
				continue
			}
			back := writer{offered: byte(offered)}
			back.value(got[0], wanted{typ: x.typ, room: 8})
			if hex.EncodeToString(back.b) != sent {
				t.Errorf("version %d, %s: answered as %x, not %s", offered, x.typ, back.b, sent)
			}
		}
	}
}
