package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// cmac is CMAC with AES, SP 800-38B, as a hash.Hash.
type cmac struct {
	block   cipher.Block
	k1, k2  [aes.BlockSize]byte
	state   [aes.BlockSize]byte
	pending [aes.BlockSize]byte // the last bytes, not yet in the state
	n       int                 // how many they are
}

func newCMAC(block cipher.Block) *cmac {
	c := &cmac{block: block}
	block.Encrypt(c.k1[:], c.k1[:])
	double(&c.k1)
	c.k2 = c.k1
	double(&c.k2)
	return c
}

// double multiplies by x in the field of 2^128 elements.
func double(b *[aes.BlockSize]byte) {
	carry := b[0] >> 7
	for i := range len(b) - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[len(b)-1] = b[len(b)-1]<<1 ^ 0x87*carry
}

func (c *cmac) Size() int      { return aes.BlockSize }
func (c *cmac) BlockSize() int { return aes.BlockSize }

func (c *cmac) Reset() {
	clear(c.state[:])
	clear(c.pending[:])
	c.n = 0
}

// Write keeps the last block back, for it is the one that is treated
// differently.
func (c *cmac) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if c.n == aes.BlockSize {
			c.absorb(c.pending[:])
			c.n = 0
		}
		m := copy(c.pending[c.n:], p)
		c.n, p = c.n+m, p[m:]
	}
	return written, nil
}

func (c *cmac) absorb(block []byte) {
	subtle.XORBytes(c.state[:], c.state[:], block)
	c.block.Encrypt(c.state[:], c.state[:])
}

func (c *cmac) Sum(b []byte) []byte {
	last, state := c.pending, c.state
	if c.n == aes.BlockSize {
		subtle.XORBytes(last[:], last[:], c.k1[:])
	} else {
		clear(last[c.n:])
		last[c.n] = 0x80
		subtle.XORBytes(last[:], last[:], c.k2[:])
	}
	subtle.XORBytes(state[:], state[:], last[:])
	c.block.Encrypt(state[:], state[:])
	return append(b, state[:]...)
}
