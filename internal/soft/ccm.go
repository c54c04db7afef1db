package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// ccm is CCM with AES, SP 800-38C, for one message: the code is CBC-MAC over
// the parameters, the associated data and the plaintext, encrypted with the
// counter's first block.
type ccm struct {
	block   cipher.Block
	mech    mechanism.AESCCM
	dataLen int
}

// newCCM checks the length of the plaintext against the nonce and what the
// parameters promise.
func newCCM(block cipher.Block, mech mechanism.AESCCM, dataLen int, code ckr.Code) (*ccm, error) {
	width := 15 - len(mech.Nonce)
	if mech.DataLen != 0 && mech.DataLen != dataLen || width < 8 && uint64(dataLen)>>(8*width) != 0 {
		return nil, ckr.Newf(code, mech.Type().String(), "%d bytes", dataLen)
	}
	return &ccm{block, mech, dataLen}, nil
}

// mac returns the whole code before it is encrypted, SP 800-38C §A.2.
func (c *ccm) mac(plain []byte) [aes.BlockSize]byte {
	var state [aes.BlockSize]byte
	width := 15 - len(c.mech.Nonce)
	flags := byte(c.mech.TagSize()-2)/2<<3 | byte(width-1)
	if len(c.mech.AAD) > 0 {
		flags |= 0x40
	}
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(c.dataLen))
	first := append(append([]byte{flags}, c.mech.Nonce...), length[8-width:]...)
	c.absorb(&state, first)
	c.absorbPadded(&state, c.associated())
	c.absorbPadded(&state, plain)
	return state
}

// associated encodes the associated data with its length.
func (c *ccm) associated() []byte {
	n := len(c.mech.AAD)
	switch {
	case n == 0:
		return nil
	case n < 0xff00:
		return append(binary.BigEndian.AppendUint16(nil, uint16(n)), c.mech.AAD...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0xff, 0xfe}, uint32(n)), c.mech.AAD...)
}

func (c *ccm) absorb(state *[aes.BlockSize]byte, block []byte) {
	subtle.XORBytes(state[:], state[:], block)
	c.block.Encrypt(state[:], state[:])
}

func (c *ccm) absorbPadded(state *[aes.BlockSize]byte, data []byte) {
	for len(data) >= aes.BlockSize {
		c.absorb(state, data[:aes.BlockSize])
		data = data[aes.BlockSize:]
	}
	if len(data) > 0 {
		var last [aes.BlockSize]byte
		copy(last[:], data)
		c.absorb(state, last[:])
		clear(last[:])
	}
}

// stream returns the key stream; its first block is for the code.
func (c *ccm) stream() (s cipher.Stream, forTag [aes.BlockSize]byte) {
	var counter [aes.BlockSize]byte
	counter[0] = byte(14 - len(c.mech.Nonce))
	copy(counter[1:], c.mech.Nonce)
	s = cipher.NewCTR(c.block, counter[:])
	s.XORKeyStream(forTag[:], forTag[:])
	return s, forTag
}

// ccmKey is CCM with a key, for messages under one mechanism.
type ccmKey struct {
	block cipher.Block
	mech  mechanism.AESCCM
}

func (m *Material) ccm(mech mechanism.AESCCM) (ccmKey, error) {
	block, err := m.block()
	return ccmKey{block, mech}, err
}

func (m *Material) cryptCCM(mech mechanism.AESCCM, data []byte, decrypt bool) ([]byte, error) {
	k, err := m.ccm(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return k.open(data)
	}
	return k.seal(data)
}

func (k *ccmKey) seal(plain []byte) ([]byte, error) {
	c, err := newCCM(k.block, k.mech, len(plain), ckr.DataLenRange)
	if err != nil {
		return nil, err
	}
	tag := c.mac(plain)
	s, mask := c.stream()
	subtle.XORBytes(tag[:], tag[:], mask[:])
	out := make([]byte, len(plain), len(plain)+k.mech.TagSize())
	s.XORKeyStream(out, plain)
	return append(out, tag[:k.mech.TagSize()]...), nil
}

func (k *ccmKey) open(sealed []byte) ([]byte, error) {
	n := len(sealed) - k.mech.TagSize()
	if n < 0 {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "%d bytes", len(sealed))
	}
	c, err := newCCM(k.block, k.mech, n, ckr.EncryptedDataLenRange)
	if err != nil {
		return nil, err
	}
	s, mask := c.stream()
	plain := make([]byte, n)
	s.XORKeyStream(plain, sealed[:n])
	tag := c.mac(plain)
	subtle.XORBytes(tag[:], tag[:], mask[:])
	if subtle.ConstantTimeCompare(tag[:k.mech.TagSize()], sealed[n:]) != 1 {
		clear(plain)
		return nil, badTag()
	}
	return plain, nil
}

// badTag is the error of an authenticated decryption that fails: the same as
// for all other data that is no ciphertext.
func badTag() error { return ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil) }
