package myeid

import (
	"bytes"
	"crypto/cipher"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// streams tells whether a command with the chaining bit is answered at once:
// for the ciphers that bit says that the message goes on, not that the
// command does.
func (c *Card) streams(m *command) bool {
	if m.INS != insPerformSecOp || c.env.purpose == 0 || !c.env.key.kind.isSecret() {
		return false
	}
	return m.P1P2() == opEncipher || m.P1P2() == opDecipher
}

// encipher runs the cipher over a message or a part of it.
func (c *Card) encipher(f *file, m *command) ([]byte, apdu.Status) {
	if f.key.block == nil {
		return nil, apdu.SWIncompatibleFile
	}
	data := m.Data
	switch {
	case c.env.alg == algPKCS7 && !m.More():
		data = pad7(data, f.key.block.BlockSize())
	case c.env.alg != algRaw && c.env.alg != algPKCS7:
		return nil, apdu.SWConditionsNotSatisfied
	}
	return c.crypt(f.key.block, data, m.More(), cbcEncrypt)
}

func (c *Card) decipher(f *file, m *command) ([]byte, apdu.Status) {
	if c.env.alg != algRaw && c.env.alg != algPKCS7 {
		return nil, apdu.SWConditionsNotSatisfied
	}
	out, sw := c.crypt(f.key.block, m.Data, m.More(), cbcDecrypt)
	if sw == apdu.OK && c.env.alg == algPKCS7 && !m.More() {
		return unpad7(out, f.key.block.BlockSize())
	}
	return out, sw
}

// crypt works in CBC mode from the environment's IV. Without an IV it is all
// zero, so that a single block comes out as in ECB. While the message goes on
// the next part is chained to this one; at its end the IV is as it was set.
func (c *Card) crypt(block cipher.Block, data []byte, more bool, mode cbcMode) ([]byte, apdu.Status) {
	size := block.BlockSize()
	if len(data)%size != 0 || len(data) == 0 {
		return nil, apdu.SWWrongLength
	}
	e := &c.env
	iv := e.iv[:size]
	if e.open {
		iv = e.chained[:size]
	}
	out := make([]byte, len(data))
	next := mode(block, iv, out, data)
	copy(e.chained[:], next)
	e.open = more
	return out, apdu.OK
}

// cbcMode runs a cipher from src to dst and returns the last block of
// cryptogram, to which a next part would be chained.
type cbcMode func(block cipher.Block, iv, dst, src []byte) []byte

func cbcEncrypt(block cipher.Block, iv, dst, src []byte) []byte {
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(dst, src)
	return dst[len(dst)-block.BlockSize():]
}

func cbcDecrypt(block cipher.Block, iv, dst, src []byte) []byte {
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(dst, src)
	return src[len(src)-block.BlockSize():]
}

// pad7 appends the padding of PKCS #7, RFC 5652 §6.3.
func pad7(data []byte, size int) []byte {
	n := size - len(data)%size
	return append(bytes.Clone(data), bytes.Repeat([]byte{byte(n)}, n)...)
}

func unpad7(data []byte, size int) ([]byte, apdu.Status) {
	n := int(data[len(data)-1])
	if n < 1 || n > size || n > len(data) {
		return nil, apdu.SWConditionsNotSatisfied
	}
	for _, b := range data[len(data)-n:] {
		if int(b) != n {
			return nil, apdu.SWConditionsNotSatisfied
		}
	}
	return data[:len(data)-n], apdu.OK
}
