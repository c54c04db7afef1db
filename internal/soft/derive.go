package soft

import (
	"crypto"
	"crypto/aes"
	"crypto/hkdf"
	"crypto/sha3"
	"crypto/subtle"
	"hash"
	"slices"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// DeriveLength makes a secret of a length in bytes of a key, and of the values
// of the other keys that the mechanism names (mechanism.Keys), in their order.
// Length 0 is that which the mechanism gives of itself. A length that cannot
// be had is ckr.KeySizeRange, and one for which a joined key would have to be
// cut, ckr.TemplateInconsistent: the pieces of a key are found one by one
// (Clulow 2003). The result is the caller's to clear.
func DeriveLength(m *Material, mech mechanism.Mechanism, length int, others ...[]byte) ([]byte, error) {
	r, mech, err := ready(m, mech, mechanism.FlagDerive)
	if err != nil {
		return nil, err
	}
	if len(others) != len(mechanism.Keys(mech)) {
		return nil, ckr.New(ckr.MechanismParamInvalid, mech.Type().String(), nil)
	}
	if length < 0 || length > maxDerived {
		return nil, tooLong(length)
	}
	return r.derive(m, mech, derivation{length: length, others: others, newMAC: NewMAC})
}

// Derive makes a secret of a key, as long as the mechanism gives it. The result
// is the caller's to clear. See [DeriveLength] for other lengths.
func Derive(m *Material, mech mechanism.Mechanism) ([]byte, error) {
	return DeriveLength(m, mech, 0)
}

// A derivation is what is derived, beside key and mechanism.
type derivation struct {
	length int      // in bytes; 0 is that which the mechanism gives of itself
	others [][]byte // the values of the keys that the mechanism names
	newMAC func(*Material, mechanism.Mechanism) (hash.Hash, error)
}

func deriveRows() []row {
	iv := make([]byte, aes.BlockSize)
	hkdf := deriving((*Material).hkdf)
	rows := []row{
		deriving((*Material).concatenateKey).row(mechanism.ConcatenateBaseAndKey{Key: anyKey{}}),
		deriving((*Material).concatenateData).row(mechanism.ConcatenateBaseAndData{}),
		deriving((*Material).concatenateAfter).row(mechanism.ConcatenateDataAndBase{}),
		deriving((*Material).xor).row(mechanism.XORBaseAndData{Data: iv}),
		deriving((*Material).extract).row(mechanism.ExtractKeyFromKey{}),
		deriving((*Material).shake).row(mechanism.SHAKEDerive{Bits: 128}),
		deriving((*Material).shake).row(mechanism.SHAKEDerive{Bits: 256}),
		hkdf.row(mechanism.HKDF{Hash: crypto.SHA256, Extract: true}),
		hkdf.row(mechanism.HKDF{Hash: crypto.SHA256, Extract: true, ToData: true}),
		scheme[mechanism.AESECBEncryptData]{keys: aesKeys, sizes: aesSizes, derive: (*Material).encryptECB}.
			row(mechanism.AESECBEncryptData{Data: iv}),
		scheme[mechanism.AESCBCEncryptData]{keys: aesKeys, sizes: aesSizes, derive: (*Material).encryptCBC}.
			row(mechanism.AESCBCEncryptData{IV: iv, Data: iv}),
	}
	for _, h := range hashes {
		digest := deriving((*Material).deriveHash)
		digest.legacy = old(h)
		rows = append(rows, digest.row(mechanism.HashDerive{Hash: h}))
	}
	return rows
}

// deriving is the scheme of what makes secrets of any secret key.
func deriving[M mechanism.Mechanism](derive func(*Material, M, derivation) ([]byte, error)) scheme[M] {
	return scheme[M]{keys: secrets(), sizes: macSizes, derive: derive}
}

// anyKey is a second key of which only the presence matters.
type anyKey struct{}

func (anyKey) IsKeyRef() {}

func (m *Material) concatenateKey(_ mechanism.ConcatenateBaseAndKey, d derivation) ([]byte, error) {
	return whole(d.length, m.secret, d.others[0])
}

func (m *Material) concatenateData(mech mechanism.ConcatenateBaseAndData, d derivation) ([]byte, error) {
	return whole(d.length, m.secret, mech.Data)
}

func (m *Material) concatenateAfter(mech mechanism.ConcatenateDataAndBase, d derivation) ([]byte, error) {
	return whole(d.length, mech.Data, m.secret)
}

func (m *Material) deriveHash(mech mechanism.HashDerive, d derivation) ([]byte, error) {
	h := mech.Hash.New()
	h.Write(m.secret)
	return leading(h.Sum(nil), d.length)
}

func tooLong(length int) error {
	return ckr.Newf(ckr.KeySizeRange, "derive", "%d bytes", length)
}

// whole joins secrets, of which nothing may be cut off.
func whole(length int, parts ...[]byte) ([]byte, error) {
	out := slices.Concat(parts...)
	if length != 0 && length != len(out) {
		clear(out)
		return nil, ckr.Newf(ckr.TemplateInconsistent, "derive", "the key has %d bytes, not %d", len(out), length)
	}
	return out, nil
}

// leading returns the first bytes of a secret that it takes over.
func leading(secret []byte, length int) ([]byte, error) {
	if length > len(secret) {
		clear(secret)
		return nil, tooLong(length)
	}
	if length == 0 {
		return secret, nil
	}
	clear(secret[length:])
	return secret[:length:length], nil
}

func (m *Material) xor(mech mechanism.XORBaseAndData, d derivation) ([]byte, error) {
	if len(mech.Data) < len(m.secret) { // the result would be a piece of the key
		return nil, ckr.Newf(ckr.TemplateInconsistent, "derive", "the data is shorter than the key")
	}
	out := make([]byte, len(m.secret))
	subtle.XORBytes(out, m.secret, mech.Data)
	return whole(d.length, out)
}

// minExtracted is the length in bytes under which a part of a key is found by
// trying.
const minExtracted = 16

func (m *Material) extract(mech mechanism.ExtractKeyFromKey, d derivation) ([]byte, error) {
	bit, length := mech.Bit, d.length
	total := 8 * len(m.secret)
	switch {
	case length == 0:
		return nil, ckr.Newf(ckr.TemplateIncomplete, "derive", "a length is needed")
	case length < minExtracted || 8*length > total:
		return nil, tooLong(length)
	case bit >= total:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "derive", "the key has %d bits", total)
	}
	out := make([]byte, length)
	for i := range 8 * length {
		from := (bit + i) % total
		out[i/8] |= m.secret[from/8] >> (7 - from%8) & 1 << (7 - i%8)
	}
	return out, nil
}

func (m *Material) shake(mech mechanism.SHAKEDerive, d derivation) ([]byte, error) {
	h, length := sha3.NewSHAKE128(), d.length
	if mech.Bits == 256 {
		h = sha3.NewSHAKE256()
	}
	if length == 0 {
		length = mech.Bits / 4 // as strong as the function
	}
	h.Write(m.secret)
	out := make([]byte, length)
	h.Read(out)
	return out, nil
}

func (m *Material) encryptECB(mech mechanism.AESECBEncryptData, d derivation) ([]byte, error) {
	return m.encryptData(mechanism.AESECB{}.BlockMode(), mech.Data, d.length)
}

func (m *Material) encryptCBC(mech mechanism.AESCBCEncryptData, d derivation) ([]byte, error) {
	return m.encryptData(mechanism.AESCBC{IV: mech.IV}.BlockMode(), mech.Data, d.length)
}

func (m *Material) encryptData(mode mechanism.BlockMode, data []byte, length int) ([]byte, error) {
	block, err := m.block()
	if err != nil {
		return nil, err
	}
	b := blockMode{block, mode}
	out, err := b.seal(data)
	if err != nil {
		return nil, err
	}
	return leading(out, length)
}

func (m *Material) hkdf(mech mechanism.HKDF, d derivation) ([]byte, error) {
	salt, length := mech.Salt, d.length
	if len(d.others) > 0 {
		salt = d.others[0]
	}
	size := mech.Hash.Size()
	key := m.secret
	if mech.Extract {
		extracted, err := hkdf.Extract(mech.Hash.New, m.secret, salt)
		if err != nil {
			return nil, ckr.New(ckr.KeySizeRange, "HKDF", err)
		}
		if !mech.Expand {
			return leading(extracted, length)
		}
		defer clear(extracted)
		key = extracted
	}
	if length == 0 {
		length = size
	}
	if length > 255*size {
		return nil, tooLong(length)
	}
	out, err := hkdf.Expand(mech.Hash.New, key, string(mech.Info), length)
	if err != nil {
		return nil, ckr.New(ckr.KeySizeRange, "HKDF", err)
	}
	return out, nil
}
