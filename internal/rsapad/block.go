package rsapad

import (
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// SignatureBlock makes the block that a card without paddings of its own
// applies a private key of so many bits to, to sign input. Mechanisms that hash
// take the digest: they are those that mechanism.Prehash returns.
func SignatureBlock(m mechanism.Mechanism, input []byte, bits int) ([]byte, error) {
	p, ok := paddings[m.Type()]
	if !ok || p.block == nil {
		return nil, ckr.New(ckr.MechanismInvalid, "", nil)
	}
	return p.block(m, input, bits)
}

// Message takes the padding off the block that a card has made of a
// cryptogram.
func Message(m mechanism.Mechanism, block []byte) ([]byte, error) {
	p, ok := paddings[m.Type()]
	if !ok || p.message == nil {
		return nil, ckr.New(ckr.MechanismInvalid, "", nil)
	}
	return p.message(m, block)
}

// A padding makes blocks of signatures, and messages of decrypted blocks. A nil
// function is not what the mechanism is for.
type padding struct {
	block   func(m mechanism.Mechanism, input []byte, bits int) ([]byte, error)
	message func(m mechanism.Mechanism, block []byte) ([]byte, error)
}

var paddings = map[mechanism.Type]padding{
	mechanism.TypeRSAPKCS:     paddingOf(pkcs1Block, pkcs1Message),
	mechanism.TypeRSAPKCSPSS:  paddingOf(pssBlock, nil),
	mechanism.TypeRSAPKCSOAEP: paddingOf(nil, oaepMessage),
	mechanism.TypeRSAX509:     paddingOf(bareBlock, bareMessage),
}

// paddingOf makes a padding of functions that take one type of mechanism.
func paddingOf[M mechanism.Mechanism](block func(m M, input []byte, bits int) ([]byte, error), message func(m M, block []byte) ([]byte, error)) (p padding) {
	if block != nil {
		p.block = func(m mechanism.Mechanism, input []byte, bits int) ([]byte, error) {
			own, ok := m.(M)
			if !ok {
				return nil, ckr.New(ckr.MechanismInvalid, "", nil)
			}
			return block(own, input, bits)
		}
	}
	if message != nil {
		p.message = func(m mechanism.Mechanism, block []byte) ([]byte, error) {
			own, ok := m.(M)
			if !ok {
				return nil, ckr.New(ckr.MechanismInvalid, "", nil)
			}
			return message(own, block)
		}
	}
	return p
}

func pkcs1Block(m mechanism.RSAPKCS, input []byte, bits int) ([]byte, error) {
	if m.Hash != 0 {
		var err error
		if input, err = DigestInfo(m.Hash, input); err != nil {
			return nil, err
		}
	}
	return PadSignature((bits+7)/8, input)
}

func pssBlock(m mechanism.RSAPSS, digest []byte, bits int) ([]byte, error) {
	return PSS(m.Hash, m.MGFHash(), m.SaltLength(), digest, bits)
}

func bareBlock(_ mechanism.RSAX509, input []byte, bits int) ([]byte, error) {
	size := (bits + 7) / 8
	if len(input) > size {
		return nil, ckr.Newf(ckr.DataLenRange, "", "%d bytes for a modulus of %d", len(input), size)
	}
	block := make([]byte, size)
	copy(block[size-len(input):], input)
	return block, nil
}

func pkcs1Message(m mechanism.RSAPKCS, block []byte) ([]byte, error) {
	if m.SessionKeyLen > 0 {
		return SessionKey(block, m.SessionKeyLen)
	}
	return UnpadMessage(block)
}

func oaepMessage(m mechanism.RSAOAEP, block []byte) ([]byte, error) {
	return UnpadOAEP(m.Hash, m.MGFHash(), m.Label, block)
}

func bareMessage(_ mechanism.RSAX509, block []byte) ([]byte, error) {
	return append([]byte(nil), block...), nil
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
