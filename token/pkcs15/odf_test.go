package pkcs15

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The directories of a new token are all found, and no two entries of the same
// kind begin alike, which other programs cannot bear.
func TestDirectoriesOfANewToken(t *testing.T) {
	a := &app{df: []byte{0x3F, 0x00, 0x50, 0x15}}
	odf := a.firstODF()
	var want, got []uint16
	for _, d := range layout {
		if d.kind != 0 {
			want = append(want, uint16(d.fid))
		}
	}
	for _, e := range parseODF(odf, a.df) {
		n := len(e.path.file)
		got = append(got, uint16(e.path.file[n-2])<<8|uint16(e.path.file[n-1]))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	seen := make(map[[2]byte]bool)
	for b := odf; len(b) > 0; {
		head := [2]byte{b[0], b[1]}
		if seen[head] {
			t.Errorf("two entries begin with %X", head)
		}
		seen[head] = true
		n := 2 + int(b[1])
		if b[1] == 0x81 {
			n = 3 + int(b[2])
		}
		b = b[n:]
	}
}
