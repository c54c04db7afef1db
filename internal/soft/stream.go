package soft

import (
	"crypto/cipher"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// Stream encrypts or decrypts piece by piece. It is used under the same rules
// as the Material that it was made of.
type Stream interface {
	// Update takes data and returns what can be told already.
	Update(data []byte) ([]byte, error)
	// Final returns the rest.
	Final() ([]byte, error)
	// Clear forgets what was taken.
	Clear()
}

// MaxBuffered bounds, in bytes, the data of mechanisms that need all of it at
// once.
const MaxBuffered = 1 << 24

// NewEncrypter returns a Stream that encrypts. Mechanisms that authenticate,
// that wrap keys, and RSA give all they have at the end.
func NewEncrypter(m *Material, mech mechanism.Mechanism) (Stream, error) {
	return newStream(m, mech, false)
}

// NewDecrypter returns a Stream that decrypts. Nothing is told of data that is
// authenticated before its tag is known to be good.
func NewDecrypter(m *Material, mech mechanism.Mechanism) (Stream, error) {
	return newStream(m, mech, true)
}

func newStream(m *Material, mech mechanism.Mechanism, decrypt bool) (Stream, error) {
	use := mechanism.FlagEncrypt
	if decrypt {
		use = mechanism.FlagDecrypt
	}
	r, mech, err := ready(m, mech, use)
	if err != nil {
		return nil, err
	}
	s, err := r.stream(m, mech, decrypt)
	if s == nil && err == nil {
		s = &buffered{m: m, mech: mech, decrypt: decrypt}
	}
	return s, err
}

// ecbMode is ECB as a cipher.BlockMode.
type ecbMode struct {
	cipher.Block
	decrypt bool
}

func (e ecbMode) CryptBlocks(dst, src []byte) {
	size := e.BlockSize()
	for i := 0; i < len(src); i += size {
		if e.decrypt {
			e.Decrypt(dst[i:], src[i:])
		} else {
			e.Encrypt(dst[i:], src[i:])
		}
	}
}

// blockStream is a Stream over whole blocks. What does not fill a block waits,
// and so does the last block of padded ciphertext.
type blockStream struct {
	mode            cipher.BlockMode
	padded, decrypt bool
	rest            []byte
}

func (s *blockStream) Update(data []byte) ([]byte, error) {
	size := s.mode.BlockSize()
	joined := slices.Concat(s.rest, data) // never s.rest itself, which is cleared
	clear(s.rest)
	n := len(joined) / size * size
	if s.padded && s.decrypt && n == len(joined) && n > 0 {
		n -= size
	}
	out := make([]byte, n)
	s.mode.CryptBlocks(out, joined[:n])
	s.rest = append([]byte(nil), joined[n:]...)
	clear(joined)
	return out, nil
}

func (s *blockStream) Final() ([]byte, error) {
	size := s.mode.BlockSize()
	code := ckr.DataLenRange
	if s.decrypt {
		code = ckr.EncryptedDataLenRange
	}
	switch {
	case !s.padded:
		return nil, checkBlocks(s.rest, size, code)
	case !s.decrypt:
		out := pad(s.rest, size)
		s.mode.CryptBlocks(out, out)
		return out, nil
	case len(s.rest) != size:
		return nil, ckr.Newf(code, "decrypt", "no whole blocks")
	}
	out := make([]byte, size)
	s.mode.CryptBlocks(out, s.rest)
	return unpad(out, size)
}

func (s *blockStream) Clear() { clear(s.rest) }

// buffered is a Stream of mechanisms that need all data at once.
type buffered struct {
	m       *Material
	mech    mechanism.Mechanism
	decrypt bool
	data    []byte
}

func (s *buffered) Update(data []byte) ([]byte, error) {
	if len(data) > MaxBuffered-len(s.data) {
		code := ckr.DataLenRange
		if s.decrypt {
			code = ckr.EncryptedDataLenRange
		}
		return nil, ckr.Newf(code, "cipher", "more than %d bytes", MaxBuffered)
	}
	s.data = append(s.data, data...)
	return nil, nil
}

func (s *buffered) Final() ([]byte, error) {
	if s.decrypt {
		return Decrypt(s.m, s.mech, s.data)
	}
	return Encrypt(s.m, s.mech, s.data)
}

func (s *buffered) Clear() { clear(s.data) }
