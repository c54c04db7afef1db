package mechanism

import "crypto"

// Prehash splits a signature mechanism that hashes its input first: it
// returns the hash function, and the mechanism that takes the digest instead
// of the message, such as ECDSA{} for ECDSA{Hash: crypto.SHA256}. For any
// other mechanism it returns 0 and m, resolved as by [Resolve].
//
// Hashing then never needs the card: the caller hashes as data comes in and
// hands the digest over.
func Prehash(m Mechanism) (h crypto.Hash, prepared Mechanism) {
	m = Resolve(m)
	switch m := m.(type) {
	case RSAPKCS:
		if m.Hash != 0 && !m.Digested {
			return m.Hash, RSAPKCS{Hash: m.Hash, Digested: true}
		}
	case RSAPSS:
		if !m.Digested {
			prepared := m
			prepared.Digested = true
			return m.Hash, prepared
		}
	case ECDSA:
		if m.Hash != 0 {
			return m.Hash, ECDSA{}
		}
	case EdDSA:
		if m.Prehash && !m.Digested {
			prepared := m
			prepared.Digested = true
			return crypto.SHA512, prepared
		}
	}
	return 0, m
}
