package rsapad

import (
	"crypto"
	"crypto/rand"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// PadOAEP returns the block of EME-OAEP for a message, RFC 8017 §7.1.1, of
// size bytes. It returns ckr.DataLenRange if the message does not fit, and
// ckr.MechanismInvalid for a hash function that is not to be had.
func PadOAEP(h, mgf crypto.Hash, label, message []byte, size int) ([]byte, error) {
	if err := permitted(h, mgf); err != nil {
		return nil, err
	}
	if len(message) > size-2*h.Size()-2 {
		return nil, ckr.Newf(ckr.DataLenRange, "OAEP", "%d bytes do not fit %d", len(message), size)
	}
	block := make([]byte, size)
	seed, db := block[1:1+h.Size()], block[1+h.Size():]
	rand.Read(seed)
	copy(db, labelHash(h, label))
	db[len(db)-len(message)-1] = 1
	copy(db[len(db)-len(message):], message)
	xorMask(db, mgf.New(), seed)
	xorMask(seed, mgf.New(), db)
	return block, nil
}

func labelHash(h crypto.Hash, label []byte) []byte {
	sum := h.New()
	sum.Write(label)
	return sum.Sum(nil)
}

// UnpadOAEP takes the padding of EME-OAEP off a block as long as the modulus,
// RFC 8017 §7.1.2. It returns ckr.EncryptedDataInvalid if the padding is not
// good, whatever is wrong with it (Manger 2001), ckr.KeySizeRange if the block
// is too short for any, and ckr.MechanismInvalid for a hash function that is
// not to be had. The block is not changed.
func UnpadOAEP(h, mgf crypto.Hash, label, block []byte) ([]byte, error) {
	if err := permitted(h, mgf); err != nil {
		return nil, err
	}
	if len(block) < 2*h.Size()+2 {
		return nil, ckr.Newf(ckr.KeySizeRange, "OAEP", "a modulus of %d bytes is too short", len(block))
	}
	em := append([]byte(nil), block...)
	defer clear(em)
	seed, db := em[1:1+h.Size()], em[1+h.Size():]
	xorMask(seed, mgf.New(), db)
	xorMask(db, mgf.New(), seed)

	good := subtle.ConstantTimeByteEq(em[0], 0)
	good &= subtle.ConstantTimeCompare(db[:h.Size()], labelHash(h, label))
	found, length := scanOne(db[h.Size():])
	good &= found
	length = subtle.ConstantTimeSelect(good, length, 0)
	return result(good, shifted(db[h.Size():], length), length)
}

// scanOne looks over zeros, a byte of 1 and the message, and returns 1 and the
// length of the message, or 0 if something else comes before the 1.
func scanOne(rest []byte) (good, length int) {
	looking, broken, index := 1, 0, 0
	for i, b := range rest {
		zero, one := subtle.ConstantTimeByteEq(b, 0), subtle.ConstantTimeByteEq(b, 1)
		index = subtle.ConstantTimeSelect(looking&one, i, index)
		broken = subtle.ConstantTimeSelect(looking&(1^zero)&(1^one), 1, broken)
		looking = subtle.ConstantTimeSelect(one, 0, looking)
	}
	return (1 ^ looking) & (1 ^ broken), len(rest) - 1 - index
}
