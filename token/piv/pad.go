package piv

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/internal/rsapad"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// signBlock makes the block that the card applies RSA to.
func signBlock(m mechanism.Mechanism, input []byte, bits int) ([]byte, error) {
	size := bits / 8
	if size == 0 {
		return nil, ckr.New(ckr.KeyTypeInconsistent, "", nil)
	}
	switch m := m.(type) {
	case mechanism.RSAPKCS:
		if m.Hash != 0 {
			info, err := rsapad.DigestInfo(m.Hash, input)
			if err != nil {
				return nil, err
			}
			input = info
		}
		return rsapad.PadSignature(size, input)
	case mechanism.RSAPSS:
		return rsapad.PSS(m.Hash, m.MGFHash(), m.SaltLength(), input, bits)
	case mechanism.RSAX509:
		if len(input) > size {
			return nil, ckr.Newf(ckr.DataLenRange, "", "%d bytes for a modulus of %d", len(input), size)
		}
		block := make([]byte, size)
		copy(block[size-len(input):], input)
		return block, nil
	}
	return nil, ckr.New(ckr.MechanismInvalid, "", nil)
}

// unpad takes the padding off what the card made of a cryptogram.
func unpad(m mechanism.Mechanism, block []byte) ([]byte, error) {
	switch m := m.(type) {
	case mechanism.RSAPKCS:
		if m.SessionKeyLen > 0 {
			return rsapad.SessionKey(block, m.SessionKeyLen)
		}
		return rsapad.UnpadMessage(block)
	case mechanism.RSAOAEP:
		return rsapad.UnpadOAEP(m.Hash, m.MGFHash(), m.Label, block)
	case mechanism.RSAX509:
		return append([]byte(nil), block...), nil
	}
	return nil, ckr.New(ckr.MechanismInvalid, "", nil)
}
