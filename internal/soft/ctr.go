package soft

import (
	"crypto/cipher"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// ctr encrypts or decrypts with a counter in the last CounterBits bits of the
// block, which comes round to 0 without touching the bits before it. Data of
// more blocks than the counter has values is refused: it would use key stream
// twice.
func ctr(block cipher.Block, mech mechanism.AESCTR, data []byte, code ckr.Code) ([]byte, error) {
	return newCTRStream(block, mech, code == ckr.EncryptedDataLenRange).Update(data)
}
