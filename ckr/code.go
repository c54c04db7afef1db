package ckr

import (
	"slices"
	"strconv"
)

// Code is a return value of PKCS #11, a CK_RV. It is an error that compares
// with ==, and so with errors.Is; [OK] is the zero value and is never
// returned as an error.
type Code uint64

// text is what is known of one code.
type text struct {
	code          Code
	name, message string
}

func find(c Code) (text, bool) {
	i, ok := slices.BinarySearchFunc(codes[:], c, func(t text, c Code) int {
		switch {
		case t.code < c:
			return -1
		case t.code > c:
			return 1
		}
		return 0
	})
	if !ok {
		return text{}, false
	}
	return codes[i], true
}

// Error returns a short sentence such as "PIN incorrect", or the number of a
// code that the standard does not have, "CKR 0x80000001".
func (c Code) Error() string {
	if t, ok := find(c); ok {
		return t.message
	}
	return "CKR 0x" + hex(c)
}

// Name returns the name that the standard gives the code, such as
// "CKR_PIN_INCORRECT", or its number, "CKR_0x80000001".
func (c Code) Name() string {
	if t, ok := find(c); ok {
		return t.name
	}
	return "CKR_0x" + hex(c)
}

// hex writes at least eight hexadecimal digits, as the standard does.
func hex(c Code) string {
	digits := strconv.FormatUint(uint64(c), 16)
	const zeros = "00000000"
	return zeros[min(len(digits), 8):] + digits
}

// ParseName returns the code that the standard calls name, such as
// "CKR_PIN_INCORRECT".
func ParseName(name string) (Code, bool) {
	for _, t := range codes {
		if t.name == name {
			return t.code, true
		}
	}
	return 0, false
}
