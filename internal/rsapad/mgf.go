package rsapad

import (
	"crypto"
	"encoding/binary"
	"hash"

	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// xorMask xors out with MGF1 of the seed, RFC 8017 §B.2.1.
func xorMask(out []byte, h hash.Hash, seed []byte) {
	var counter [4]byte
	var digest []byte
	for i := uint32(0); len(out) > 0; i++ {
		binary.BigEndian.PutUint32(counter[:], i)
		h.Reset()
		h.Write(seed)
		h.Write(counter[:])
		digest = h.Sum(digest[:0])
		for j := 0; j < len(digest) && j < len(out); j++ {
			out[j] ^= digest[j]
		}
		out = out[min(len(digest), len(out)):]
	}
	clear(digest)
}

// permitted refuses hash functions that are not there, or that the FIPS mode
// of the program would answer with a panic.
func permitted(hashes ...crypto.Hash) error {
	for _, h := range hashes {
		if !mechanism.Permitted(h) {
			return ckr.Newf(ckr.MechanismInvalid, "RSA padding", "hash function %v is not to be had", h)
		}
	}
	return nil
}
