package soft

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// The initial values of RFC 3394 §2.2.3.1 and RFC 5649 §3.
var (
	initialKW  = []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}
	initialKWP = []byte{0xa6, 0x59, 0x59, 0xa6}
)

// maxWrapped bounds wrapped keys, in bytes.
const maxWrapped = 1 << 20

func keyWrap(block cipher.Block, mech mechanism.AESKeyWrap, key []byte) ([]byte, error) {
	if len(key) < 16 || len(key)%8 != 0 || len(key) > maxWrapped {
		return nil, ckr.Newf(ckr.DataLenRange, "key wrap", "%d bytes", len(key))
	}
	return wrapRounds(block, orDefault(mech.IV, initialKW), key), nil
}

func keyUnwrap(block cipher.Block, mech mechanism.AESKeyWrap, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 24 || len(wrapped)%8 != 0 || len(wrapped) > maxWrapped {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "key wrap", "%d bytes", len(wrapped))
	}
	iv, key := unwrapRounds(block, wrapped)
	if subtle.ConstantTimeCompare(iv, orDefault(mech.IV, initialKW)) != 1 {
		clear(key)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "key wrap", nil)
	}
	return key, nil
}

func orDefault(iv, initial []byte) []byte {
	if len(iv) == 0 {
		return initial
	}
	return iv
}

// wrapRounds is the wrapping process of RFC 3394 §2.2.1.
func wrapRounds(block cipher.Block, iv, key []byte) []byte {
	out := append(bytes.Clone(iv), key...)
	var buf [16]byte
	defer clear(buf[:])
	copy(buf[:8], iv)
	t := uint64(0)
	for range 6 {
		for i := 8; i < len(out); i += 8 {
			t++
			copy(buf[8:], out[i:i+8])
			block.Encrypt(buf[:], buf[:])
			binary.BigEndian.PutUint64(buf[:8], binary.BigEndian.Uint64(buf[:8])^t)
			copy(out[i:], buf[8:])
		}
	}
	copy(out, buf[:8])
	return out
}

// unwrapRounds is the unwrapping process of RFC 3394 §2.2.2, without the check.
func unwrapRounds(block cipher.Block, wrapped []byte) (iv, key []byte) {
	out := bytes.Clone(wrapped)
	var buf [16]byte
	defer clear(buf[:])
	copy(buf[:8], wrapped)
	t := uint64(6 * (len(wrapped)/8 - 1))
	for range 6 {
		for i := len(out) - 8; i >= 8; i -= 8 {
			binary.BigEndian.PutUint64(buf[:8], binary.BigEndian.Uint64(buf[:8])^t)
			t--
			copy(buf[8:], out[i:i+8])
			block.Decrypt(buf[:], buf[:])
			copy(out[i:], buf[8:])
		}
	}
	copy(out, buf[:8])
	return out[:8], out[8:]
}

func keyWrapKWP(block cipher.Block, mech mechanism.AESKeyWrapKWP, key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > maxWrapped {
		return nil, ckr.Newf(ckr.DataLenRange, "key wrap", "%d bytes", len(key))
	}
	iv := binary.BigEndian.AppendUint32(bytes.Clone(orDefault(mech.IV, initialKWP)), uint32(len(key)))
	padded := make([]byte, (len(key)+7)/8*8)
	defer clear(padded)
	copy(padded, key)
	if len(padded) == 8 { // one block is encrypted as it is
		out := append(iv, padded...)
		block.Encrypt(out, out)
		return out, nil
	}
	return wrapRounds(block, iv, padded), nil
}

func keyUnwrapKWP(block cipher.Block, mech mechanism.AESKeyWrapKWP, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 16 || len(wrapped)%8 != 0 || len(wrapped) > maxWrapped {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "key wrap", "%d bytes", len(wrapped))
	}
	var iv, padded []byte
	if len(wrapped) == 16 {
		out := make([]byte, 16)
		block.Decrypt(out, wrapped)
		iv, padded = out[:8], out[8:]
	} else {
		iv, padded = unwrapRounds(block, wrapped)
	}
	length := int64(binary.BigEndian.Uint32(iv[4:]))
	good := subtle.ConstantTimeCompare(iv[:4], orDefault(mech.IV, initialKWP))
	over := int64(len(padded)) - length
	if over < 0 || over > 7 || length == 0 {
		good, over = 0, 0
	}
	var zeros byte
	for _, b := range padded[int64(len(padded))-over:] {
		zeros |= b
	}
	good &= subtle.ConstantTimeByteEq(zeros, 0)
	if good != 1 {
		clear(padded)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "key wrap", nil)
	}
	return padded[:length:length], nil
}
