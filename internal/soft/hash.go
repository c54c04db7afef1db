package soft

import (
	"hash"

	"github.com/go-cryptoki/cryptoki/mechanism"
)

// NewHash returns the hash function of a digest mechanism. It returns
// ckr.MechanismInvalid for other mechanisms.
func NewHash(mech mechanism.Mechanism) (hash.Hash, error) {
	if err := mechanism.Check(mech); err != nil {
		return nil, err
	}
	digest, ok := mechanism.Resolve(mech).(mechanism.Digest)
	if !ok {
		return nil, unsupported(mech)
	}
	return digest.Hash.New(), nil
}
