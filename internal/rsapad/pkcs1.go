package rsapad

import (
	"crypto/rand"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// overhead is what PKCS #1 v1.5 takes of a block: 00, the type, at least 8
// bytes of padding and another 00.
const overhead = 11

// PadSignature returns the block 00 01 FF … FF 00 ‖ t of size bytes,
// EMSA-PKCS1-v1_5 with a DigestInfo for t, or with any other bytes. It
// returns ckr.DataLenRange if t is more than size - 11 bytes.
func PadSignature(size int, t []byte) ([]byte, error) {
	if len(t) > size-overhead {
		return nil, ckr.Newf(ckr.DataLenRange, "PKCS #1 v1.5 padding", "%d bytes do not fit %d", len(t), size)
	}
	block := make([]byte, size)
	block[1] = 1
	for i := 2; i < size-len(t)-1; i++ {
		block[i] = 0xff
	}
	copy(block[size-len(t):], t)
	return block, nil
}

// PadMessage returns the block 00 02 ‖ random bytes other than 00 ‖ 00 ‖
// message of size bytes, EME-PKCS1-v1_5. It returns ckr.DataLenRange if the
// message is more than size - 11 bytes.
func PadMessage(size int, message []byte) ([]byte, error) {
	if len(message) > size-overhead {
		return nil, ckr.Newf(ckr.DataLenRange, "PKCS #1 v1.5 padding", "%d bytes do not fit %d", len(message), size)
	}
	block := make([]byte, size)
	block[1] = 2
	padding := block[2 : size-len(message)-1]
	rand.Read(padding)
	for i := range padding {
		for padding[i] == 0 {
			rand.Read(padding[i : i+1])
		}
	}
	copy(block[size-len(message):], message)
	return block, nil
}

// UnpadMessage takes the padding of EME-PKCS1-v1_5 off a block as long as the
// modulus. It returns ckr.EncryptedDataInvalid if the padding is not good.
// The block is not changed.
func UnpadMessage(block []byte) ([]byte, error) {
	if len(block) < overhead {
		return nil, failed()
	}
	good, length := scan(block)
	length = subtle.ConstantTimeSelect(good, length, 0)
	return result(good, shifted(block, length), length)
}

// result is what came of taking a padding off: the first length bytes of out,
// or the one error that there is. Only here does the content show, as it must;
// and it is looked up, so that no way is longer than the other. Where the
// padding is not good, nothing is left in out.
func result(good int, out []byte, length int) ([]byte, error) {
	return [2][]byte{nil, out[:length:length]}[good], [2]error{errPadding, nil}[good]
}

// SessionKey takes the padding of EME-PKCS1-v1_5 off a block as long as the
// modulus and returns a message of the wanted length in bytes. If the padding
// is not good or the message is not of that length, the result is random: who
// asks learns nothing from the block but the key (RFC 5246 §7.4.7.1). It
// returns ckr.EncryptedDataLenRange if no message of the length fits the
// block.
func SessionKey(block []byte, length int) ([]byte, error) {
	if length < 0 || length > len(block)-overhead {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "PKCS #1 v1.5 padding", "%d bytes do not fit %d", length, len(block))
	}
	key := make([]byte, length)
	rand.Read(key)
	good, found := scan(block)
	good &= subtle.ConstantTimeEq(int32(found), int32(length))
	subtle.ConstantTimeCopy(good, key, block[len(block)-length:])
	return key, nil
}

// errPadding is made once, as making it takes time.
var errPadding error = ckr.New(ckr.EncryptedDataInvalid, "RSA padding", nil)

func failed() error { return errPadding }

// scan looks over a whole block and returns 1 and the length of the message
// if the padding is good, else 0 and a length without meaning.
func scan(block []byte) (good, length int) {
	good = subtle.ConstantTimeByteEq(block[0], 0) & subtle.ConstantTimeByteEq(block[1], 2)
	looking, separator := 1, 0
	for i := 2; i < len(block); i++ {
		zero := subtle.ConstantTimeByteEq(block[i], 0)
		separator = subtle.ConstantTimeSelect(looking&zero, i, separator)
		looking = subtle.ConstantTimeSelect(zero, 0, looking)
	}
	good &= 1 ^ looking
	good &= subtle.ConstantTimeLessOrEq(2+8, separator)
	return good, len(block) - 1 - separator
}

// shifted returns a copy of the block whose last length bytes come first.
// Each step moves all bytes by a power of two, or none: the memory that is
// touched does not depend on the length.
func shifted(block []byte, length int) []byte {
	out := append([]byte(nil), block...)
	by := len(block) - length
	for step := 1; step <= len(block); step <<= 1 {
		move := subtle.ConstantTimeEq(int32(by&step), int32(step))
		for i := range out {
			next := byte(0)
			if i+step < len(out) { // by the length of the block only
				next = out[i+step]
			}
			out[i] = byte(subtle.ConstantTimeSelect(move, int(next), int(out[i])))
		}
	}
	return out
}
