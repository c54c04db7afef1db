package mechanism

import "crypto"

// Prehash splits a signature mechanism that hashes its input first: it
// returns the hash function, and the mechanism that takes the digest instead
// of the message, such as ECDSA{} for ECDSA{Hash: crypto.SHA256}. For any
// other mechanism it returns 0 and m, resolved as by [Resolve].
//
// Hashing then never needs the card: the caller hashes as data comes in and
// hands the digest over.
func Prehash(m Mechanism) (h crypto.Hash, prepared Mechanism) { return prehash(Resolve(m)) }

// prehash is Prehash for a resolved mechanism.
func prehash(m Mechanism) (crypto.Hash, Mechanism) {
	own, ok := m.(interface {
		prehash() (h crypto.Hash, prepared Mechanism) // 0 for none
	})
	if !ok {
		return 0, m
	}
	if h, prepared := own.prehash(); h != 0 {
		return h, prepared
	}
	return 0, m
}
