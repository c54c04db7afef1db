package tlv

import "fmt"

// Tag is a tag of one to three bytes as it is written: 0x81, 0x7F49, 0x5FC105.
type Tag uint32

// Bits of the first byte of a tag.
const (
	constructedBit = 0x20
	numberMask     = 0x1F
	moreBit        = 0x80
)

// Len is the number of bytes of the tag.
func (t Tag) Len() int {
	switch {
	case t > 0xFFFF:
		return 3
	case t > 0xFF:
		return 2
	}
	return 1
}

// Constructed tells whether the value consists of elements.
func (t Tag) Constructed() bool {
	return byte(t>>(8*(t.Len()-1)))&constructedBit != 0
}

// String is the tag in hexadecimal.
func (t Tag) String() string { return fmt.Sprintf("%0*X", 2*t.Len(), uint32(t)) }

// valid tells whether the tag is one that Parse would read.
func (t Tag) valid() bool {
	var b [3]byte
	got, n, err := readTag(t.append(b[:0]))
	return err == "" && got == t && n == t.Len()
}

func (t Tag) append(b []byte) []byte {
	for i := t.Len() - 1; i >= 0; i-- {
		b = append(b, byte(t>>(8*i)))
	}
	return b
}
