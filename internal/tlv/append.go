package tlv

import (
	"fmt"
	"math"
)

// Append appends an element to b; its value is the parts in a row. Lengths are
// written in as few bytes as possible. A tag that Parse would not read, and a
// value of 4 GiB or more, are mistakes of the program and panic.
func Append(b []byte, tag Tag, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = AppendHeader(b, tag, n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// New is an element on its own. Calls nest:
//
//	tlv.New(0x61, tlv.New(0x4F, aid), tlv.New(0x50, label))
func New(tag Tag, parts ...[]byte) []byte { return Append(nil, tag, parts...) }

// AppendHeader appends tag and length alone, for a value of n bytes that
// follows.
func AppendHeader(b []byte, tag Tag, n int) []byte {
	if !tag.valid() {
		panic(fmt.Sprintf("tlv: invalid tag %v", tag))
	}
	if n < 0 || uint64(n) > math.MaxUint32 {
		panic(fmt.Sprintf("tlv: invalid length %d", n))
	}
	b = tag.append(b)
	if n < 0x80 {
		return append(b, byte(n))
	}
	size := 1
	for n>>(8*size) != 0 && size < 4 {
		size++
	}
	b = append(b, 0x80|byte(size))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}
