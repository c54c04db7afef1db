package myeid

import (
	"bytes"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// code is a PIN or a PUK. A card that was loaded knows it by its lock alone,
// which costs a derivation for each guess, until the right one was given.
type code struct {
	known bool
	value [pinLength]byte
	lock  *seal.Lock // on the private half of the PIN's pair; nil: made when it is kept
}

func (x *code) set(value []byte) {
	*x = code{known: true}
	copy(x.value[:], value)
}

// normal is the form of a code in which the padding bytes 00 and FF are one.
func normal(code *[pinLength]byte) (out [pinLength]byte) {
	for i := range pinLength {
		out[i] = padding(code[i])
	}
	return out
}

func padding(b byte) byte {
	// FF becomes 00, every other byte stays, without a branch on the secret.
	return b &^ byte(-subtle.ConstantTimeByteEq(b, 0xFF))
}

// same compares two codes.
func same(a, b *[pinLength]byte) bool {
	x, y := normal(a), normal(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// The two codes of a PIN, in the labels of their locks.
const (
	ownCode = "PIN"
	itsPUK  = "PUK"
)

// matches compares a code. The right one to a lock opens the PIN's pair, and
// with it all that is sealed to it; if that cannot be, the lock and the pair
// are not of one PIN, and the code is neither right nor wrong.
func (c *Card) matches(ref byte, x *code, which string, given *[pinLength]byte) (bool, apdu.Status) {
	if x.known {
		return same(given, &x.value), apdu.OK
	}
	n := normal(given)
	defer clear(n[:])
	private, ok := c.kit.Open(x.lock, n[:], c.label(recordKey(pinFolder, uint32(ref)), which))
	if !ok {
		return false, apdu.OK
	}
	defer clear(private)
	if c.pins[ref].pair.Unlock(private) != nil {
		return false, apdu.SWMemoryFailure
	}
	x.known, x.value = true, *given
	c.unseal(ref)
	return true, apdu.OK
}

// shut makes the lock of a code that is new. It is false if what is to lie
// behind the lock is not known.
func (c *Card) shut(ref int, x *code, which string) bool {
	if x.lock != nil {
		return true
	}
	private := c.pins[ref].pair.Private()
	if private == nil || !x.known {
		return false
	}
	defer clear(private)
	n := normal(&x.value)
	defer clear(n[:])
	x.lock = c.kit.Close(n[:], private, c.label(recordKey(pinFolder, uint32(ref)), which))
	return true
}

// renew gives a PIN another pair if its codes are known: the private half of
// the present one lay open in the file.
func (c *Card) renew(ref int) {
	p, key := &c.pins[ref], recordKey(pinFolder, uint32(ref))
	pair, err := seal.NewPair()
	if err != nil {
		return // with the present one the card is as good as before
	}
	private := pair.Private()
	defer clear(private)
	own := p.code.lock.Refill(private, c.label(key, ownCode))
	puk := p.puk.lock.Refill(private, c.label(key, itsPUK))
	if own != nil && puk != nil {
		p.pair, p.code.lock, p.puk.lock = pair, own, puk
	}
}

// inherit takes over what an earlier state of the same card knew of its PINs.
func (c *Card) inherit(from *Card) {
	for ref := range c.pins {
		p, old := &c.pins[ref], &from.pins[ref]
		if p.pair == nil || !old.pair.Unlocked() || !bytes.Equal(p.pair.Public(), old.pair.Public()) {
			continue
		}
		p.pair = old.pair
		p.code.inherit(&old.code)
		p.puk.inherit(&old.puk)
		c.unseal(byte(ref))
	}
}

func (x *code) inherit(old *code) {
	if old.known && old.lock != nil && x.lock != nil && bytes.Equal(old.lock.Salt, x.lock.Salt) {
		*x = *old
	}
}
