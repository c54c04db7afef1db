package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"math/big"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// ctr encrypts or decrypts with a counter in the last CounterBits bits of the
// block, which comes round to 0 without touching the bits before it. Data of
// more blocks than the counter has values is refused: it would use key stream
// twice.
func ctr(block cipher.Block, mech mechanism.AESCTR, data []byte, code ckr.Code) ([]byte, error) {
	period := new(big.Int).Lsh(big.NewInt(1), uint(mech.CounterBits))
	blocks := big.NewInt(int64((len(data) + aes.BlockSize - 1) / aes.BlockSize))
	if blocks.Cmp(period) > 0 {
		return nil, ckr.Newf(code, "AES", "%d bytes are too many for a counter of %d bits", len(data), mech.CounterBits)
	}
	start := new(big.Int).SetBytes(mech.CB)
	counter := new(big.Int).Mod(start, period)
	fixed := new(big.Int).Sub(start, counter)
	before := counter.Sub(period, counter) // blocks until it comes round

	out := make([]byte, len(data))
	first := len(data)
	if before.Cmp(blocks) < 0 {
		first = int(before.Int64()) * aes.BlockSize
	}
	cipher.NewCTR(block, mech.CB).XORKeyStream(out[:first], data[:first])
	if first < len(data) {
		again := fixed.FillBytes(make([]byte, aes.BlockSize))
		cipher.NewCTR(block, again).XORKeyStream(out[first:], data[first:])
	}
	return out, nil
}
