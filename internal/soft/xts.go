package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// xts encrypts or decrypts one data unit as IEEE 1619 does, with ciphertext
// stealing for a last block that is not whole.
type xts struct {
	one, two cipher.Block
	mech     mechanism.AESXTS
}

func (m *Material) xts(mech mechanism.AESXTS) (x xts, err error) {
	half := len(m.secret) / 2
	if x.one, err = aes.NewCipher(m.secret[:half]); err == nil {
		x.two, err = aes.NewCipher(m.secret[half:])
	}
	if err != nil {
		return xts{}, ckr.New(ckr.KeySizeRange, "AES key", err)
	}
	x.mech = mech
	return x, nil
}

func (m *Material) cryptXTS(mech mechanism.AESXTS, data []byte, decrypt bool) ([]byte, error) {
	x, err := m.xts(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return x.open(data)
	}
	return x.seal(data)
}

func (x *xts) seal(plain []byte) ([]byte, error) { return x.run(plain, false, ckr.DataLenRange) }

func (x *xts) open(sealed []byte) ([]byte, error) {
	return x.run(sealed, true, ckr.EncryptedDataLenRange)
}

func (x *xts) run(data []byte, decrypt bool, code ckr.Code) ([]byte, error) {
	if len(data) < aes.BlockSize || len(data) > 1<<20*aes.BlockSize { // 2^20 blocks, IEEE 1619 §5.1
		return nil, ckr.Newf(code, x.mech.Type().String(), "%d bytes", len(data))
	}
	unit := xtsUnit{cipher: x.one.Encrypt}
	if decrypt {
		unit.cipher = x.one.Decrypt
	}
	x.two.Encrypt(unit.tweak[:], x.mech.Tweak)
	return unit.run(data, decrypt), nil
}

// xtsUnit is the state within one data unit.
type xtsUnit struct {
	cipher func(dst, src []byte)
	tweak  [aes.BlockSize]byte
}

func (x *xtsUnit) block(dst, src []byte) {
	subtle.XORBytes(dst, src, x.tweak[:])
	x.cipher(dst, dst)
	subtle.XORBytes(dst, dst, x.tweak[:])
}

// next multiplies the tweak by the primitive element, least significant byte
// first.
func (x *xtsUnit) next() {
	var carry byte
	for i, b := range x.tweak {
		x.tweak[i], carry = b<<1|carry, b>>7
	}
	x.tweak[0] ^= 0x87 * carry
}

func (x *xtsUnit) run(data []byte, decrypt bool) []byte {
	out := make([]byte, len(data))
	rest := len(data) % aes.BlockSize
	full := len(data) - rest
	if rest > 0 {
		full -= aes.BlockSize
	}
	for i := 0; i < full; i += aes.BlockSize {
		x.block(out[i:i+aes.BlockSize], data[i:i+aes.BlockSize])
		x.next()
	}
	if rest == 0 {
		return out
	}
	// The last whole block gives its tail to the one that is not whole. When
	// decrypting, their tweaks change places.
	var first, last xtsUnit
	first, last = *x, *x
	last.next()
	if decrypt {
		first, last = last, first
	}
	var whole, joined [aes.BlockSize]byte
	first.block(whole[:], data[full:full+aes.BlockSize])
	copy(joined[:], whole[:])
	copy(joined[:], data[full+aes.BlockSize:])
	last.block(out[full:full+aes.BlockSize], joined[:])
	copy(out[full+aes.BlockSize:], whole[:rest])
	return out
}

// cts chains blocks with the ciphertext stealing of mode CBC-CS1.
type cts struct {
	block cipher.Block
	mech  mechanism.AESCTS
}

func (m *Material) cts(mech mechanism.AESCTS) (cts, error) {
	block, err := m.block()
	return cts{block, mech}, err
}

func (m *Material) cryptCTS(mech mechanism.AESCTS, data []byte, decrypt bool) ([]byte, error) {
	c, err := m.cts(mech)
	switch {
	case err != nil:
		return nil, err
	case decrypt:
		return c.open(data)
	}
	return c.seal(data)
}

func (c *cts) seal(data []byte) ([]byte, error) {
	const size = aes.BlockSize
	if len(data) < size {
		return nil, ckr.Newf(ckr.DataLenRange, c.mech.Type().String(), "%d bytes", len(data))
	}
	rest := len(data) % size
	padded := make([]byte, (len(data)+size-1)/size*size)
	copy(padded, data)
	cipher.NewCBCEncrypter(c.block, c.mech.IV).CryptBlocks(padded, padded)
	if rest == 0 {
		return padded, nil
	}
	copy(padded[len(data)-size:], padded[len(padded)-size:])
	return padded[:len(data):len(data)], nil
}

func (c *cts) open(data []byte) ([]byte, error) {
	const size = aes.BlockSize
	if len(data) < size {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, c.mech.Type().String(), "%d bytes", len(data))
	}
	rest := len(data) % size
	whole := make([]byte, (len(data)+size-1)/size*size)
	copy(whole, data)
	if rest > 0 { // the stolen tail is what the last block decrypts to
		last := data[len(data)-size:]
		var tail [size]byte
		c.block.Decrypt(tail[:], last)
		copy(whole[len(data)-size:], tail[rest:])
		copy(whole[len(whole)-size:], last)
	}
	cipher.NewCBCDecrypter(c.block, c.mech.IV).CryptBlocks(whole, whole)
	return whole[:len(data):len(data)], nil
}
