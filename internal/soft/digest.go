package soft

import (
	"crypto"
	"hash"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// hashes are the hash functions that software computes.
var hashes = []crypto.Hash{
	crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA1, crypto.SHA224, crypto.SHA512_224, crypto.SHA512_256,
	crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512, crypto.MD5,
}

// signing are those of them that signatures are made with.
var signing = hashes[:len(hashes)-1]

// old is the legacy mark of mechanisms with a hash function.
func old(h crypto.Hash) mechanism.Flags {
	if h == crypto.MD5 {
		return all
	}
	return 0
}

func digestRows() (rows []row) {
	for _, h := range hashes {
		digest := scheme[mechanism.Digest]{legacy: old(h), digest: func(m mechanism.Digest) hash.Hash { return m.Hash.New() }}
		rows = append(rows, digest.row(mechanism.Digest{Hash: h}))
	}
	return rows
}

// NewHash returns the hash function of a digest mechanism. It returns
// ckr.MechanismInvalid for other mechanisms.
func NewHash(mech mechanism.Mechanism) (hash.Hash, error) {
	r, mech, err := find(mech, mechanism.FlagDigest)
	if err != nil {
		return nil, err
	}
	return r.digest(mech)
}
