package soft

import (
	"crypto/cipher"
	"crypto/des"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
	"github.com/go-cryptoki/cryptoki/object"
)

// desRows has DES of one to three keys, for what is old.
func desRows() []row {
	iv := make([]byte, des.BlockSize)
	return []row{
		desBlocks[mechanism.DESECB]().row(mechanism.DESECB{}),
		desBlocks[mechanism.DESCBC]().row(mechanism.DESCBC{IV: iv}),
		desBlocks[mechanism.DESCBCPad]().row(mechanism.DESCBCPad{IV: iv}),
		des3Blocks[mechanism.DES3ECB]().row(mechanism.DES3ECB{}),
		des3Blocks[mechanism.DES3CBC]().row(mechanism.DES3CBC{IV: iv}),
		des3Blocks[mechanism.DES3CBCPad]().row(mechanism.DES3CBCPad{IV: iv}),
	}
}

func desBlocks[M moded]() scheme[M] {
	return wholeBlocks((*Material).desBlock, scheme[M]{
		keys: secrets(object.KeyDES), sizes: sizes{8, 8}, legacy: all, unapproved: true,
	})
}

func des3Blocks[M moded]() scheme[M] {
	return wholeBlocks((*Material).desBlock, scheme[M]{
		keys: secrets(object.KeyDES2, object.KeyDES3), sizes: sizes{16, 24}, legacy: all, unapproved: true,
	})
}

// desBlock returns the cipher of a DES key, of one to three parts.
func (m *Material) desBlock() (block cipher.Block, err error) {
	switch {
	case m.key == object.KeyDES:
		block, err = des.NewCipher(m.secret)
	case len(m.secret) == 16:
		long := slices.Concat(m.secret, m.secret[:8])
		defer clear(long)
		block, err = des.NewTripleDESCipher(long)
	default:
		block, err = des.NewTripleDESCipher(m.secret)
	}
	if err != nil {
		return nil, ckr.Newf(ckr.KeySizeRange, "DES key", "%d bytes", len(m.secret))
	}
	return block, nil
}
