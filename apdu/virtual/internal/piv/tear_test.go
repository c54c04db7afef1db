package piv

import (
	"bytes"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// torn runs a command once for each number of writes that it makes but all,
// and looks at the card each time.
func torn(t *testing.T, prepare func(r *rig), command []byte, look func(r *rig, writes int)) (writes int) {
	t.Helper()
	for n := 1; ; n++ {
		r := newRig(t, yubikey())
		prepare(r)
		r.card.FailAfter(n)
		if answer := r.card.Process(command); answer != nil {
			if !bytes.Equal(answer[len(answer)-2:], []byte{0x90, 0x00}) {
				t.Fatalf("answer %X", answer)
			}
			return n
		}
		r.card.Reset()
		look(r, n)
	}
}

func TestTornObjectIsOldNewOrDamaged(t *testing.T) {
	object := func(b byte) []byte { return tlv.New(0x53, bytes.Repeat([]byte{b}, 200)) }
	tag := unhex("5C035FC101")
	data := append(bytes.Clone(tag), object(2)...)
	n := torn(t,
		func(r *rig) { r.admin(); r.ok("00DB3FFF", append(bytes.Clone(tag), object(1)...)) },
		append([]byte{0, 0xDB, 0x3F, 0xFF, byte(len(data))}, data...),
		func(r *rig, writes int) {
			want := append(object(2)[:min(writes*pageSize, 203):203], object(1)[min(writes*pageSize, 203):]...)
			if got := r.ok("00CB3FFF", tag); !bytes.Equal(got, want) {
				t.Errorf("after %d writes: %X", writes, got)
			}
		})
	if n != 5 {
		t.Errorf("%d writes", n)
	}
}

func TestTornMoveLosesNoKey(t *testing.T) {
	torn(t,
		func(r *rig) { r.admin(); r.generate(0x9A, P256) },
		unhex("00F6829A"),
		func(r *rig, writes int) {
			if r.card.keys[0x9A] == nil && r.card.keys[0x82] == nil {
				t.Errorf("after %d writes the key is gone", writes)
			}
		})
}

func TestTornResetCanBeRepeated(t *testing.T) {
	n := torn(t,
		func(r *rig) {
			r.admin()
			r.generate(0x9A, P256)
			r.ok("00DB3FFF", append(unhex("5C035FC101"), tlv.New(0x53, []byte{1})...))
			for range 3 {
				r.send("00200080", padded("999999"))
				r.send("002C0080", append(padded("99999999"), padded("999999")...))
			}
		},
		unhex("00FB0000"),
		func(r *rig, writes int) {
			if r.card.pins[refPIN].left == 0 {
				r.want(apdu.OK, "00FB0000", "")
			}
			if len(r.card.keys) != 1 || r.card.pins[refPIN].left != 3 {
				t.Errorf("after %d writes: %d keys, %d tries", writes, len(r.card.keys), r.card.pins[refPIN].left)
			}
		})
	if n < 5 {
		t.Errorf("%d writes", n)
	}
}

func TestTornGenerationLeavesNoHalfKey(t *testing.T) {
	torn(t,
		func(r *rig) { r.admin(); r.generate(0x9A, P256) },
		unhex("0047009A05AC0380011100"),
		func(r *rig, writes int) {
			if k := r.card.keys[0x9A]; (k == nil) != (writes == 1) {
				t.Errorf("after %d writes: %v", writes, k != nil)
			}
		})
}
