package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"math"
	"math/big"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// Stream encrypts or decrypts piece by piece. It is used under the same rules
// as the Material that it was made of.
type Stream interface {
	// Update takes data and returns what can be told already.
	Update(data []byte) ([]byte, error)
	// Final returns the rest.
	Final() ([]byte, error)
	// Clear forgets what was taken.
	Clear()
}

// MaxBuffered bounds, in bytes, the data of mechanisms that need all of it at
// once.
const MaxBuffered = 1 << 24

// NewEncrypter returns a Stream that encrypts. Mechanisms that authenticate,
// that wrap keys, and RSA give all they have at the end.
func NewEncrypter(m *Material, mech mechanism.Mechanism) (Stream, error) {
	return newStream(m, mech, false)
}

// NewDecrypter returns a Stream that decrypts. Nothing is told of data that is
// authenticated before its tag is known to be good.
func NewDecrypter(m *Material, mech mechanism.Mechanism) (Stream, error) {
	return newStream(m, mech, true)
}

func newStream(m *Material, mech mechanism.Mechanism, decrypt bool) (Stream, error) {
	mech, err := prepared(m, mech)
	if err != nil {
		return nil, err
	}
	if s, ok := mech.(mechanism.AESCTR); ok {
		block, err := m.block()
		if err != nil {
			return nil, err
		}
		return newCTRStream(block, s, decrypt), nil
	}
	mode, padded, ok, err := m.blockMode(mech, decrypt)
	if err != nil {
		return nil, err
	}
	if ok {
		return &blockStream{mode: mode, padded: padded, decrypt: decrypt}, nil
	}
	return &buffered{m: m, mech: mech, decrypt: decrypt}, nil
}

// blockMode returns the mode of a mechanism that chains blocks, or encrypts
// each alone. ok is false for other mechanisms.
func (m *Material) blockMode(mech mechanism.Mechanism, decrypt bool) (mode cipher.BlockMode, padded, ok bool, err error) {
	isDES, single := isDES(mech)
	var block cipher.Block
	var iv []byte
	switch mech := mech.(type) {
	case mechanism.AESECB:
	case mechanism.AESCBC:
		iv = mech.IV
	case mechanism.AESCBCPad:
		iv, padded = mech.IV, true
	default:
		if !isDES {
			return nil, false, false, nil
		}
		iv, padded, _ = desMode(mech)
	}
	if isDES {
		block, err = m.desBlock(single)
	} else {
		block, err = m.block()
	}
	switch {
	case err != nil:
		return nil, false, false, err
	case iv == nil:
		mode = ecbMode{block, decrypt}
	case decrypt:
		mode = cipher.NewCBCDecrypter(block, iv)
	default:
		mode = cipher.NewCBCEncrypter(block, iv)
	}
	return mode, padded, true, nil
}

// ecbMode is ECB as a cipher.BlockMode.
type ecbMode struct {
	cipher.Block
	decrypt bool
}

func (e ecbMode) CryptBlocks(dst, src []byte) {
	size := e.BlockSize()
	for i := 0; i < len(src); i += size {
		if e.decrypt {
			e.Decrypt(dst[i:], src[i:])
		} else {
			e.Encrypt(dst[i:], src[i:])
		}
	}
}

// blockStream is a Stream over whole blocks. What does not fill a block waits,
// and so does the last block of padded ciphertext.
type blockStream struct {
	mode            cipher.BlockMode
	padded, decrypt bool
	rest            []byte
}

func (s *blockStream) Update(data []byte) ([]byte, error) {
	size := s.mode.BlockSize()
	joined := slices.Concat(s.rest, data) // never s.rest itself, which is cleared
	clear(s.rest)
	n := len(joined) / size * size
	if s.padded && s.decrypt && n == len(joined) && n > 0 {
		n -= size
	}
	out := make([]byte, n)
	s.mode.CryptBlocks(out, joined[:n])
	s.rest = append([]byte(nil), joined[n:]...)
	clear(joined)
	return out, nil
}

func (s *blockStream) Final() ([]byte, error) {
	size := s.mode.BlockSize()
	code := ckr.DataLenRange
	if s.decrypt {
		code = ckr.EncryptedDataLenRange
	}
	switch {
	case !s.padded:
		return nil, wholeBlocks(s.rest, size, code)
	case !s.decrypt:
		out := pad(s.rest, size)
		s.mode.CryptBlocks(out, out)
		return out, nil
	case len(s.rest) != size:
		return nil, ckr.Newf(code, "decrypt", "no whole blocks")
	}
	out := make([]byte, size)
	s.mode.CryptBlocks(out, s.rest)
	return unpad(out, size)
}

func (s *blockStream) Clear() { clear(s.rest) }

// ctrStream is a Stream of counter mode.
type ctrStream struct {
	now, again cipher.Stream // before and after the counter comes round
	before     int64         // bytes left for now
	left       int64         // bytes left before key stream would be used twice
	code       ckr.Code
}

func newCTRStream(block cipher.Block, mech mechanism.AESCTR, decrypt bool) *ctrStream {
	period := new(big.Int).Lsh(big.NewInt(1), uint(mech.CounterBits))
	start := new(big.Int).SetBytes(mech.CB)
	counter := new(big.Int).Mod(start, period)
	fixed := new(big.Int).Sub(start, counter)
	s := &ctrStream{
		now:    cipher.NewCTR(block, mech.CB),
		again:  cipher.NewCTR(block, fixed.FillBytes(make([]byte, aes.BlockSize))),
		before: inBytes(new(big.Int).Sub(period, counter)),
		left:   inBytes(period),
		code:   ckr.DataLenRange,
	}
	if decrypt {
		s.code = ckr.EncryptedDataLenRange
	}
	return s
}

// inBytes is the length of so many blocks, at most what fits.
func inBytes(blocks *big.Int) int64 {
	n := new(big.Int).Lsh(blocks, 4)
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

func (s *ctrStream) Update(data []byte) ([]byte, error) {
	if int64(len(data)) > s.left {
		return nil, ckr.Newf(s.code, "AES", "too many bytes for the counter")
	}
	first := int(min(int64(len(data)), s.before))
	out := make([]byte, len(data))
	s.now.XORKeyStream(out[:first], data[:first])
	s.again.XORKeyStream(out[first:], data[first:])
	s.before -= int64(first)
	s.left -= int64(len(data))
	return out, nil
}

func (s *ctrStream) Final() ([]byte, error) { return nil, nil }

func (s *ctrStream) Clear() {}

// buffered is a Stream of mechanisms that need all data at once.
type buffered struct {
	m       *Material
	mech    mechanism.Mechanism
	decrypt bool
	data    []byte
}

func (s *buffered) Update(data []byte) ([]byte, error) {
	if len(data) > MaxBuffered-len(s.data) {
		code := ckr.DataLenRange
		if s.decrypt {
			code = ckr.EncryptedDataLenRange
		}
		return nil, ckr.Newf(code, "cipher", "more than %d bytes", MaxBuffered)
	}
	s.data = append(s.data, data...)
	return nil, nil
}

func (s *buffered) Final() ([]byte, error) {
	if s.decrypt {
		return Decrypt(s.m, s.mech, s.data)
	}
	return Encrypt(s.m, s.mech, s.data)
}

func (s *buffered) Clear() { clear(s.data) }
