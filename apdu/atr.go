package apdu

import (
	"errors"
	"fmt"
	"slices"
)

// MaxATR is the length of the longest answer to reset in bytes, ISO 7816-3
// §8.2.
const MaxATR = 33

// ErrATR says that an answer to reset does not follow ISO 7816-3.
var ErrATR = errors.New("malformed answer to reset")

// ATR is an answer to reset, ISO 7816-3 §8.
type ATR struct {
	// Protocols are those the card offers, in its order; T0 if it names none.
	Protocols []Protocol
	// Historical are the historical bytes, at most 15, a part of the ATR.
	Historical []byte
	// Checked tells that the check byte TCK is there and right, or not needed.
	// Many cards are used although theirs is wrong.
	Checked bool
}

// ParseATR takes an ATR apart. The error matches [ErrATR].
func ParseATR(b []byte) (ATR, error) {
	if len(b) < 2 || len(b) > MaxATR {
		return ATR{}, fmt.Errorf("%w: %d bytes", ErrATR, len(b))
	}
	if b[0] != 0x3B && b[0] != 0x3F {
		return ATR{}, fmt.Errorf("%w: begins with %02X", ErrATR, b[0])
	}
	var a ATR
	historical := int(b[1] & 0x0F)
	next := 2
	for follow := b[1] >> 4; follow != 0; {
		for bit := byte(1); bit < 8; bit <<= 1 { // TA, TB, TC
			if follow&bit != 0 {
				next++
			}
		}
		if follow&8 == 0 {
			break
		}
		if next >= len(b) {
			return ATR{}, fmt.Errorf("%w: interface bytes missing", ErrATR)
		}
		td := b[next]
		next++
		a.offer(Protocol(td & 0x0F))
		follow = td >> 4
	}
	end := next + historical
	if end > len(b) {
		return ATR{}, fmt.Errorf("%w: %d of %d bytes missing", ErrATR, end-len(b), end)
	}
	if len(b) > end+1 {
		return ATR{}, fmt.Errorf("%w: %d bytes too many", ErrATR, len(b)-end-1)
	}
	a.Historical = b[next:end:end]
	a.Checked = checked(b, end, a.Protocols)
	if len(a.Protocols) == 0 {
		a.Protocols = []Protocol{T0}
	}
	return a, nil
}

// offer adds a protocol; T=15 stands for global interface bytes.
func (a *ATR) offer(p Protocol) {
	if p != 15 && !slices.Contains(a.Protocols, p) {
		a.Protocols = append(a.Protocols, p)
	}
}

// checked verifies TCK, which is there unless T=0 is the only protocol.
func checked(b []byte, end int, protocols []Protocol) bool {
	onlyT0 := true
	for _, p := range protocols {
		onlyT0 = onlyT0 && p == T0
	}
	if len(b) == end {
		return onlyT0
	}
	sum := byte(0)
	for _, x := range b[1:] {
		sum ^= x
	}
	return sum == 0
}
