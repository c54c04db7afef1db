package object

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/fips140"
	"crypto/sha1"
	"crypto/subtle"
	"math/bits"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// valueLengths has the lengths in bytes that secret keys may have; types that
// are not listed may have any but 0.
var valueLengths = map[KeyType][]int{
	KeyAES:      {16, 24, 32},
	KeyAESXTS:   {32, 64},
	KeyDES:      {8},
	KeyDES2:     {16},
	KeyDES3:     {24},
	KeyChaCha20: {32},
	KeyPoly1305: {32},
}

// maxSecret bounds secrets that a caller asks a token to make.
const maxSecret = 1 << 16

// finishSecret checks the value of a secret key and what is said of it.
func finishSecret(key KeyType, t Template) (Template, error) {
	wanted, hasLen := In(t, AttrValueLen)
	if hasLen && !goodLength(key, wanted) {
		return nil, invalid(AttrValueLen.Type, "not a length of such keys")
	}
	value, ok := t.Lookup(AttrValue.Type)
	if !ok {
		return t, nil
	}
	if !goodLength(key, uint64(len(value.value))) {
		return nil, invalid(AttrValue.Type, "not a length of such keys")
	}
	if weak(key, value.value) {
		return nil, invalid(AttrValue.Type, "parts of the key are equal")
	}
	if hasLen && wanted != uint64(len(value.value)) {
		return nil, ckr.Newf(ckr.TemplateInconsistent, AttrValueLen.String(), "the value has %d bytes", len(value.value))
	}
	if (&RuleSet{class: ClassSecretKey, sub: uint64(key)}).has(AttrValueLen.Type) {
		t = t.With(AttrValueLen.Is(uint64(len(value.value))))
	}
	return finishCheckValue(key, t, checkValue(key, value.value))
}

func (s *RuleSet) has(t Type) bool {
	_, ok := s.Lookup(t)
	return ok
}

func goodLength(key KeyType, n uint64) bool {
	lengths, ok := valueLengths[key]
	if !ok {
		return n > 0 && n <= maxSecret
	}
	return n <= maxSecret && slices.Contains(lengths, int(n))
}

// SetParity gives the bytes of a DES key the odd parity that the keys which a
// token makes have (PKCS #11 v3.2 §6.19), in place. Keys of other types stay as
// they are. What callers bring is taken with any parity, as elsewhere.
func SetParity(key KeyType, value []byte) {
	if key != KeyDES && key != KeyDES2 && key != KeyDES3 {
		return
	}
	for i, b := range value {
		value[i] = b&^1 | byte(bits.OnesCount8(b&^1)+1)&1
	}
}

// FixedLength returns the length in bytes of the keys of a type that has only
// one; ok is false for other types.
func FixedLength(key KeyType) (n int, ok bool) {
	if lengths := valueLengths[key]; len(lengths) == 1 {
		return lengths[0], true
	}
	return 0, false
}

// weak reports whether a key of several parts is worth only one of them.
func weak(key KeyType, value []byte) bool {
	switch key {
	case KeyDES2:
		return bytes.Equal(value[:8], value[8:])
	case KeyDES3:
		return bytes.Equal(value[:8], value[8:16]) || bytes.Equal(value[8:16], value[16:])
	case KeyAESXTS:
		return bytes.Equal(value[:len(value)/2], value[len(value)/2:])
	}
	return false
}

// minChecked is the length in bytes from which a secret has a check value: of
// a shorter one, three bytes would help who guesses.
const minChecked = 16

// checkValue computes CKA_CHECK_VALUE: the first three bytes of a block of
// zeros encrypted by the key, or of the SHA-1 hash of a value that is no
// cipher's key (PKCS #11 v3.2 §4.10.2). It is nothing where there is none.
func checkValue(key KeyType, value []byte) []byte {
	var block cipher.Block
	var err error
	switch key {
	case KeyAES:
		block, err = aes.NewCipher(value)
	case KeyDES3, KeyDES2, KeyDES:
		if fips140.Enforced() {
			return nil
		}
		block, err = newDES(key, value)
	case KeyGenericSecret:
		return hashCheck(value)
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	out := make([]byte, block.BlockSize())
	block.Encrypt(out, out)
	return out[:3]
}

func newDES(key KeyType, value []byte) (cipher.Block, error) {
	switch key {
	case KeyDES:
		return des.NewCipher(value)
	case KeyDES2:
		long := slices.Concat(value, value[:8])
		defer clear(long)
		return des.NewTripleDESCipher(long)
	}
	return des.NewTripleDESCipher(value)
}

// hashCheck is the check value of a byte string that is no cipher's key.
func hashCheck(value []byte) []byte {
	if len(value) < minChecked || fips140.Enforced() {
		return nil
	}
	sum := sha1.Sum(value)
	return sum[:3]
}

// finishCheckValue compares a given check value, or fills it in. An empty one
// says that none is wanted.
func finishCheckValue(key KeyType, t Template, want []byte) (Template, error) {
	given, ok := t.Lookup(AttrCheckValue.Type)
	switch {
	case len(want) == 0 && ok:
		return t, nil
	case !ok && (len(want) > 0 || key == KeyGenericSecret): // an empty one tells that there is none
		return t.With(AttrCheckValue.Is(want)), nil
	case len(want) == 0:
		return t, nil
	case given.Len() == 0, subtle.ConstantTimeCompare(given.value, want) == 1:
		return t, nil
	}
	return nil, invalid(AttrCheckValue.Type, "it is not that of the key")
}
