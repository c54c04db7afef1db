package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

var (
	aesKeys  = secrets(object.KeyAES)
	aesSizes = sizes{16, 32} // bytes
	xtsSizes = sizes{32, 64}
)

func aesRows() []row {
	iv := make([]byte, aes.BlockSize)
	ctr := scheme[mechanism.AESCTR]{keys: aesKeys, sizes: aesSizes, crypt: (*Material).cryptCTR, stream: (*Material).ctrStream}
	cts := scheme[mechanism.AESCTS]{keys: aesKeys, sizes: aesSizes, crypt: (*Material).cryptCTS}
	xts := scheme[mechanism.AESXTS]{keys: secrets(object.KeyAESXTS), sizes: xtsSizes, unapproved: true, crypt: (*Material).cryptXTS}
	wrap := scheme[mechanism.AESKeyWrap]{
		keys: aesKeys, sizes: aesSizes, crypt: (*Material).cryptKeyWrap,
		wrap: (*Material).wrapPadded, unwrap: (*Material).unwrapPadded,
	}
	kwp := scheme[mechanism.AESKeyWrapKWP]{keys: aesKeys, sizes: aesSizes, crypt: (*Material).cryptKWP}
	return []row{
		aesBlocks[mechanism.AESECB]().row(mechanism.AESECB{}),
		aesBlocks[mechanism.AESCBC]().row(mechanism.AESCBC{IV: iv}),
		aesBlocks[mechanism.AESCBCPad]().row(mechanism.AESCBCPad{IV: iv}),
		ctr.row(mechanism.AESCTR{CounterBits: 128, CB: iv}),
		cts.row(mechanism.AESCTS{IV: iv}),
		xts.row(mechanism.AESXTS{Tweak: iv}),
		wrap.row(mechanism.AESKeyWrap{}),
		wrapping(kwp).row(mechanism.AESKeyWrapKWP{}),
	}
}

// block returns the cipher of an AES key.
func (m *Material) block() (cipher.Block, error) {
	if m.aes == nil {
		return nil, ckr.Newf(ckr.KeySizeRange, "AES key", "%d bytes", len(m.secret))
	}
	return m.aes, nil
}

// moded is a mechanism that encrypts whole blocks.
type moded interface {
	mechanism.Mechanism
	BlockMode() mechanism.BlockMode
}

func aesBlocks[M moded]() scheme[M] {
	return wholeBlocks((*Material).block, scheme[M]{keys: aesKeys, sizes: aesSizes})
}

// wholeBlocks adds ECB or CBC with a block cipher to a scheme.
func wholeBlocks[M moded](of func(*Material) (cipher.Block, error), s scheme[M]) scheme[M] {
	s.crypt = func(k *Material, m M, data []byte, decrypt bool) ([]byte, error) {
		block, err := of(k)
		if err != nil {
			return nil, err
		}
		b := blockMode{block, m.BlockMode()}
		if decrypt {
			return b.open(data)
		}
		return b.seal(data)
	}
	s.stream = func(k *Material, m M, decrypt bool) (Stream, error) {
		block, err := of(k)
		if err != nil {
			return nil, err
		}
		b := blockMode{block, m.BlockMode()}
		return &blockStream{mode: b.direction(decrypt), padded: b.Padded, decrypt: decrypt}, nil
	}
	return s
}

// blockMode is ECB or CBC with a block cipher.
type blockMode struct {
	block cipher.Block
	mechanism.BlockMode
}

// direction returns one way of it.
func (b *blockMode) direction(decrypt bool) cipher.BlockMode {
	switch {
	case !b.Chained:
		return ecbMode{b.block, decrypt}
	case decrypt:
		return cipher.NewCBCDecrypter(b.block, b.IV)
	}
	return cipher.NewCBCEncrypter(b.block, b.IV)
}

func (b *blockMode) seal(plain []byte) ([]byte, error) {
	if !b.Padded {
		return b.run(plain, false, ckr.DataLenRange)
	}
	padded := pad(plain, b.Size)
	defer clear(padded)
	return b.run(padded, false, ckr.DataLenRange)
}

func (b *blockMode) open(sealed []byte) ([]byte, error) {
	if b.Padded && len(sealed) == 0 {
		return nil, ckr.Newf(ckr.EncryptedDataLenRange, "decrypt", "no data")
	}
	out, err := b.run(sealed, true, ckr.EncryptedDataLenRange)
	if err != nil || !b.Padded {
		return out, err
	}
	return unpad(out, b.Size)
}

func (b *blockMode) run(data []byte, decrypt bool, code ckr.Code) ([]byte, error) {
	if err := checkBlocks(data, b.Size, code); err != nil {
		return nil, err
	}
	out := make([]byte, len(data))
	if b.Chained {
		b.direction(decrypt).CryptBlocks(out, data)
	} else {
		ecbMode{b.block, decrypt}.CryptBlocks(out, data) // no interface, and so no memory
	}
	return out, nil
}

func checkBlocks(data []byte, size int, code ckr.Code) error {
	if len(data)%size != 0 {
		return ckr.Newf(code, "cipher", "%d bytes are no whole blocks", len(data))
	}
	return nil
}

// pad extends data as PKCS #7 does.
func pad(data []byte, size int) []byte {
	n := size - len(data)%size
	out := make([]byte, len(data)+n)
	copy(out, data)
	for i := len(data); i < len(out); i++ {
		out[i] = byte(n)
	}
	return out
}

// unpad takes the padding off, looking at the whole last block whatever it
// holds.
func unpad(padded []byte, size int) ([]byte, error) {
	last := padded[len(padded)-size:]
	n := int(last[size-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, size)
	for i, b := range last {
		in := subtle.ConstantTimeLessOrEq(size-i, n) // within the padding
		good &= subtle.ConstantTimeSelect(in, subtle.ConstantTimeByteEq(b, byte(n)), 1)
	}
	if good != 1 {
		clear(padded)
		return nil, ckr.New(ckr.EncryptedDataInvalid, "decrypt", nil)
	}
	return padded[: len(padded)-n : len(padded)-n], nil
}
