package tlv

import (
	"errors"
	"fmt"
	"iter"
)

// MaxElements is the number of elements that Parse and Decode read at most.
const MaxElements = 4096

var (
	// ErrMalformed says that the bytes are no BER-TLV, or exceed a bound.
	ErrMalformed = errors.New("malformed TLV")
	// ErrNotFound says that Find found no element of that tag.
	ErrNotFound = errors.New("no such element")
)

// Error tells what is wrong where. It matches [ErrMalformed].
type Error struct {
	Tag    Tag // 0 if no tag could be read
	Offset int // of the element, in the bytes that were parsed
	Reason string
}

func (e *Error) Error() string {
	if e.Tag == 0 {
		return fmt.Sprintf("%v: at byte %d: %s", ErrMalformed, e.Offset, e.Reason)
	}
	return fmt.Sprintf("%v: tag %v at byte %d: %s", ErrMalformed, e.Tag, e.Offset, e.Reason)
}

// Is makes every Error an ErrMalformed.
func (e *Error) Is(target error) bool { return target == ErrMalformed }

// Element is one data object. Value and Raw are parts of the input.
type Element struct {
	Tag   Tag
	Value []byte
	Raw   []byte // with tag and length
}

// Next reads the first element of b and returns what follows it.
func Next(b []byte) (e Element, rest []byte, err error) {
	tag, n, reason := readTag(b)
	if reason != "" {
		return Element{}, nil, &Error{Tag: tag, Reason: reason}
	}
	length, m, reason := readLength(b[n:])
	if reason != "" {
		return Element{}, nil, &Error{Tag: tag, Reason: reason}
	}
	head := n + m
	if left := len(b) - head; length > uint32(left) {
		return Element{}, nil, &Error{Tag: tag, Reason: fmt.Sprintf("length %d, but %d bytes left", length, left)}
	}
	end := head + int(length)
	return Element{tag, b[head:end:end], b[:end:end]}, b[end:], nil
}

// readTag reads a tag and its length in bytes. With a reason why it cannot, it
// returns what it read.
func readTag(b []byte) (Tag, int, string) {
	if len(b) == 0 {
		return 0, 0, "tag missing"
	}
	tag := Tag(b[0])
	if b[0] == 0 {
		return 0, 0, "tag 00"
	}
	if b[0]&numberMask != numberMask {
		return tag, 1, ""
	}
	for n := 1; n < 3; n++ {
		if n >= len(b) {
			return tag, 0, "tag cut short"
		}
		if n == 1 && b[n] == moreBit {
			return tag, 0, "tag number begins with zero"
		}
		tag = tag<<8 | Tag(b[n])
		if b[n]&moreBit == 0 {
			return tag, n + 1, ""
		}
	}
	return tag, 0, "tag of more than three bytes"
}

// readLength reads a length and the number of bytes that hold it, one to five.
func readLength(b []byte) (uint32, int, string) {
	if len(b) == 0 {
		return 0, 0, "length missing"
	}
	if b[0] < 0x80 {
		return uint32(b[0]), 1, ""
	}
	n := int(b[0] & 0x7F)
	switch {
	case n == 0:
		return 0, 0, "indefinite length"
	case n > 4:
		return 0, 0, fmt.Sprintf("length of %d bytes", n)
	case n >= len(b):
		return 0, 0, "length cut short"
	}
	length := uint32(0)
	for _, x := range b[1 : 1+n] {
		length = length<<8 | uint32(x)
	}
	return length, 1 + n, ""
}

// Parse goes through the elements of b, one level deep. It ends with an error
// at the first that is malformed, and after [MaxElements].
func Parse(b []byte) iter.Seq2[Element, error] { return parse(b, false) }

// ParsePadded is Parse for files: bytes 00 and FF before, between and after
// elements are skipped.
func ParsePadded(b []byte) iter.Seq2[Element, error] { return parse(b, true) }

func parse(b []byte, padded bool) iter.Seq2[Element, error] {
	return func(yield func(Element, error) bool) {
		rest := b
		for count := 0; ; count++ {
			if padded {
				rest = skipPadding(rest)
			}
			if len(rest) == 0 {
				return
			}
			offset := len(b) - len(rest)
			if count == MaxElements {
				yield(Element{}, &Error{Offset: offset, Reason: "too many elements"})
				return
			}
			e, after, err := Next(rest)
			if err != nil {
				yield(Element{}, shift(err, offset))
				return
			}
			if !yield(e, nil) {
				return
			}
			rest = after
		}
	}
}

func skipPadding(b []byte) []byte {
	for len(b) > 0 && (b[0] == 0x00 || b[0] == 0xFF) {
		b = b[1:]
	}
	return b
}

// shift moves the place of an error.
func shift(err error, by int) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{e.Tag, e.Offset + by, e.Reason}
	}
	return err
}
