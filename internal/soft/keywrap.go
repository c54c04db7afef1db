package soft

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/asn1"
	"encoding/binary"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// The initial values of RFC 3394 §2.2.3.1 and RFC 5649 §3.
var (
	initialKW  = []byte{0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6}
	initialKWP = []byte{0xa6, 0x59, 0x59, 0xa6}
)

// maxWrapped bounds wrapped keys, in bytes.
const maxWrapped = 1 << 20

// keyWrap is AES key wrap, RFC 3394.
type keyWrap struct {
	block   cipher.Block
	initial []byte
}

func (m *Material) keyWrap(mech mechanism.AESKeyWrap) (keyWrap, error) {
	block, err := m.block()
	return keyWrap{block, orDefault(mech.IV, initialKW)}, err
}

func (m *Material) cryptKeyWrap(mech mechanism.AESKeyWrap, data []byte, decrypt bool) ([]byte, error) {
	w, err := m.keyWrap(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return w.open(data)
	}
	return w.seal(data)
}

func (w *keyWrap) seal(key []byte) ([]byte, error) {
	if len(key) < 16 || len(key)%8 != 0 || len(key) > maxWrapped {
		return nil, ckr.Newf(ckr.DataLenRange, "key wrap", "%d bytes", len(key))
	}
	return wrapRounds(w.block, w.initial, key), nil
}

func (w *keyWrap) open(wrapped []byte) ([]byte, error) {
	if len(wrapped) < 24 || len(wrapped)%8 != 0 || len(wrapped) > maxWrapped {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "key wrap", "%d bytes", len(wrapped))
	}
	iv, key := unwrapRounds(w.block, wrapped)
	if subtle.ConstantTimeCompare(iv, w.initial) != 1 {
		clear(key)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "key wrap", nil)
	}
	return key, nil
}

// wrapPadded wraps a key of any length from 9 bytes, extended by zeros to a
// multiple of 8, as PKCS #11 v3.2 §6.14 has it.
func (m *Material) wrapPadded(mech mechanism.AESKeyWrap, value []byte) ([]byte, error) {
	w, err := m.keyWrap(mech)
	if err != nil {
		return nil, err
	}
	value = zeroPadded(value)
	defer clear(value)
	return w.seal(value)
}

func (m *Material) unwrapPadded(mech mechanism.AESKeyWrap, wrapped []byte, t object.Template) ([]byte, error) {
	w, err := m.keyWrap(mech)
	if err != nil {
		return nil, err
	}
	value, err := w.open(wrapped)
	if err != nil {
		return nil, err
	}
	return withoutZeros(value, t), nil
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

// keyWrapKWP is AES key wrap with padding, RFC 5649.
type keyWrapKWP struct {
	block   cipher.Block
	initial []byte
}

func (m *Material) keyWrapKWP(mech mechanism.AESKeyWrapKWP) (keyWrapKWP, error) {
	block, err := m.block()
	return keyWrapKWP{block, orDefault(mech.IV, initialKWP)}, err
}

func (m *Material) cryptKWP(mech mechanism.AESKeyWrapKWP, data []byte, decrypt bool) ([]byte, error) {
	w, err := m.keyWrapKWP(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return w.open(data)
	}
	return w.seal(data)
}

func (w *keyWrapKWP) seal(key []byte) ([]byte, error) {
	if len(key) == 0 || len(key) > maxWrapped {
		return nil, ckr.Newf(ckr.DataLenRange, "key wrap", "%d bytes", len(key))
	}
	iv := binary.BigEndian.AppendUint32(bytes.Clone(w.initial), uint32(len(key)))
	padded := make([]byte, (len(key)+7)/8*8)
	defer clear(padded)
	copy(padded, key)
	if len(padded) == 8 { // one block is encrypted as it is
		out := append(iv, padded...)
		w.block.Encrypt(out, out)
		return out, nil
	}
	return wrapRounds(w.block, iv, padded), nil
}

func (w *keyWrapKWP) open(wrapped []byte) ([]byte, error) {
	if len(wrapped) < 16 || len(wrapped)%8 != 0 || len(wrapped) > maxWrapped {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "key wrap", "%d bytes", len(wrapped))
	}
	var iv, padded []byte
	if len(wrapped) == 16 {
		out := make([]byte, 16)
		w.block.Decrypt(out, wrapped)
		iv, padded = out[:8], out[8:]
	} else {
		iv, padded = unwrapRounds(w.block, wrapped)
	}
	length := int64(binary.BigEndian.Uint32(iv[4:]))
	good := subtle.ConstantTimeCompare(iv[:4], w.initial)
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

// zeroPadded returns a copy of a key's value, extended to what CKM_AES_KEY_WRAP
// takes, multiples of 8 bytes, as PKCS #11 v3.2 §6.14 has it.
func zeroPadded(value []byte) []byte {
	padded := make([]byte, (len(value)+7)/8*8)
	copy(padded, value)
	return padded
}

// withoutZeros takes the padding off again: how long a secret key is, the
// template may tell, and a private key tells itself. Where something else than
// zeros follows, nothing is taken off: the length is wrong then.
func withoutZeros(value []byte, t object.Template) []byte {
	length := len(value)
	if class, _ := object.In(t, object.AttrClass); class == object.ClassSecretKey {
		if n, ok := object.In(t, object.AttrValueLen); ok {
			length = int(min(n, uint64(length)))
		}
	} else {
		var whole asn1.RawValue
		if _, err := asn1.Unmarshal(value, &whole); err == nil {
			length = len(whole.FullBytes)
		}
	}
	if padding := value[length:]; len(padding) < 8 && !slices.ContainsFunc(padding, func(b byte) bool { return b != 0 }) {
		return value[:length:length]
	}
	return value
}
