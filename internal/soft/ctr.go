package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"math"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// counterMode encrypts or decrypts with a counter in the last CounterBits bits
// of the block, which comes round to 0 without touching the bits before it. Data
// of more blocks than the counter has values is refused: it would use key stream
// twice.
type counterMode struct {
	block cipher.Block
	mech  mechanism.AESCTR
}

func (m *Material) ctr(mech mechanism.AESCTR) (counterMode, error) {
	block, err := m.block()
	return counterMode{block, mech}, err
}

func (m *Material) cryptCTR(mech mechanism.AESCTR, data []byte, decrypt bool) ([]byte, error) {
	c, err := m.ctr(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return c.open(data)
	}
	return c.seal(data)
}

func (m *Material) ctrStream(mech mechanism.AESCTR, decrypt bool) (Stream, error) {
	block, err := m.block()
	if err != nil {
		return nil, err
	}
	return newCTRStream(block, mech, decrypt), nil
}

func (c *counterMode) seal(plain []byte) ([]byte, error) {
	return newCTRStream(c.block, c.mech, false).Update(plain)
}

func (c *counterMode) open(sealed []byte) ([]byte, error) {
	return newCTRStream(c.block, c.mech, true).Update(sealed)
}

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
