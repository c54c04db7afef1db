package rsapad

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// SignatureBlock makes the block that a card without paddings of its own
// applies a private key of so many bits to, to sign input.
func SignatureBlock(m mechanism.Mechanism, input []byte, bits int) ([]byte, error) {
	size := (bits + 7) / 8
	switch m := m.(type) {
	case mechanism.RSAPKCS:
		if m.Hash != 0 {
			var err error
			if input, err = DigestInfo(m.Hash, input); err != nil {
				return nil, err
			}
		}
		return PadSignature(size, input)
	case mechanism.RSAPSS:
		return PSS(m.Hash, m.MGFHash(), m.SaltLength(), input, bits)
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

// Message takes the padding off the block that a card has made of a
// cryptogram.
func Message(m mechanism.Mechanism, block []byte) ([]byte, error) {
	switch m := m.(type) {
	case mechanism.RSAPKCS:
		if m.SessionKeyLen > 0 {
			return SessionKey(block, m.SessionKeyLen)
		}
		return UnpadMessage(block)
	case mechanism.RSAOAEP:
		return UnpadOAEP(m.Hash, m.MGFHash(), m.Label, block)
	case mechanism.RSAX509:
		return append([]byte(nil), block...), nil
	}
	return nil, ckr.New(ckr.MechanismInvalid, "", nil)
}

// Result returns what a card has made in the length of the modulus, n bytes: a
// card that leaves leading zeros out is helped, any other length is no result.
func Result(b []byte, n int) ([]byte, error) {
	switch {
	case len(b) == n:
		return b, nil
	case len(b) == 0 || len(b) > n || n-len(b) > 8:
		return nil, ckr.Newf(ckr.DeviceError, "", "the card answered %d bytes for %d", len(b), n)
	}
	full := make([]byte, n)
	copy(full[n-len(b):], b)
	return full, nil
}
