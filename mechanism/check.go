package mechanism

import (
	"crypto"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Bounds of parameters. Salts and points beyond them fit no key; a code
// shorter than 32 bits is guessed too soon (SP 800-107 §5.3.3).
const (
	maxSalt   = 2048
	maxPoint  = 1024
	maxShared = 1 << 20
	minMAC    = 4
)

// Check refuses a mechanism whose parameters cannot be right for any key, so
// that no card is asked in vain: nil and values that name no mechanism with
// ckr.MechanismInvalid, bad parameters with ckr.MechanismParamInvalid. Makers'
// own types, and Raw mechanisms that have no type here, pass. Hash functions
// that the program's FIPS 140 mode forbids are ckr.MechanismInvalid.
func Check(m Mechanism) error {
	m = Resolve(m)
	if m == nil {
		return ckr.Newf(ckr.MechanismInvalid, "mechanism", "no mechanism is given")
	}
	if problem := problemOf(m); problem != "" {
		return ckr.Newf(ckr.MechanismParamInvalid, nameOf(m), "%s", problem)
	}
	for _, h := range hashesOf(m) {
		if h != 0 && !Permitted(h) {
			return ckr.Newf(ckr.MechanismInvalid, nameOf(m), "the FIPS 140 mode of this program forbids %v", h)
		}
	}
	if m.Type() == Unavailable {
		return ckr.Newf(ckr.MechanismParamInvalid, nameOf(m), "the standard has no such mechanism with this hash")
	}
	if raw, ok := m.(Raw); ok && !raw.T.Known() && !raw.T.Vendor() {
		return ckr.New(ckr.MechanismInvalid, raw.T.String(), nil)
	}
	return nil
}

func nameOf(m Mechanism) string {
	if t := m.Type(); t != Unavailable {
		return t.String()
	}
	return "mechanism"
}

// usable reports whether a mechanism may name the hash function, and so
// whether its methods may be called without a panic.
func usable(h crypto.Hash) bool { return rowOf(h).digest != none && h.Available() }

// hashesOf returns the hash functions that are computed outside the card, and 0
// for none.
func hashesOf(m Mechanism) [2]crypto.Hash {
	switch m := m.(type) {
	case RSAPKCS:
		return [2]crypto.Hash{m.Hash}
	case RSAPSS:
		return [2]crypto.Hash{m.Hash, m.MGFHash()}
	case RSAOAEP:
		return [2]crypto.Hash{m.Hash, m.MGFHash()}
	case ECDSA:
		return [2]crypto.Hash{m.Hash}
	case Digest:
		return [2]crypto.Hash{m.Hash}
	case HMAC:
		return [2]crypto.Hash{m.Hash}
	case SLHDSA:
		return [2]crypto.Hash{m.Hash}
	case HashDerive:
		return [2]crypto.Hash{m.Hash}
	case HKDF:
		return [2]crypto.Hash{m.Hash}
	case PBKDF2:
		return [2]crypto.Hash{m.Hash}
	case KBKDF:
		return hashesOf(Resolve(m.PRF))
	case ECDH:
		h, _, _ := m.KDF.Hash()
		return [2]crypto.Hash{h}
	}
	return [2]crypto.Hash{}
}

// problemOf says in words what is wrong with the parameters, or nothing.
func problemOf(m Mechanism) string {
	switch m := m.(type) {
	case RSAPKCS:
		return first(when(m.Hash != 0 && !usable(m.Hash), "unknown hash function"), when(m.SessionKeyLen < 0, "negative length"))
	case RSAPSS:
		return pssProblem(m)
	case RSAOAEP:
		return first(when(!usable(m.Hash) || !usable(m.MGFHash()), "unknown hash function"), when(len(m.Label) > maxShared, "label too long"))
	case ECDSA:
		return when(m.Hash != 0 && !usable(m.Hash), "unknown hash function")
	case EdDSA:
		return first(when(len(m.Context) > 255, "context longer than 255 bytes"), when(m.Digested && !m.Prehash, "a digest is signed with Prehash only"))
	case ECDH:
		return ecdhProblem(m)
	case Digest:
		return when(!usable(m.Hash), "unknown hash function")
	case HMAC:
		return hmacProblem(m)
	case MLDSA:
		return mldsaProblem(m)
	case SLHDSA:
		return slhdsaProblem(m)
	default:
		return first(aesProblem(m), aeadProblem(m), desProblem(m), deriveProblem(m))
	}
}

func aesProblem(m Mechanism) string {
	switch m := m.(type) {
	case AESCBC:
		return when(len(m.IV) != 16, "the initialisation vector is not 16 bytes")
	case AESCBCPad:
		return when(len(m.IV) != 16, "the initialisation vector is not 16 bytes")
	case AESCTR:
		return first(when(len(m.CB) != 16, "the counter block is not 16 bytes"), when(m.CounterBits < 1 || m.CounterBits > 128, "counter bits not within 1 to 128"))
	case AESGCM:
		return gcmProblem(m)
	case AESCMAC:
		return when(m.Length != 0 && (m.Length < minMAC || m.Length > 16), "length not within 4 to 16 bytes")
	case AESKeyWrap:
		return when(len(m.IV) != 0 && len(m.IV) != 8, "the initial value is not 8 bytes")
	case AESKeyWrapKWP:
		return when(len(m.IV) != 0 && len(m.IV) != 4, "the initial value is not 4 bytes")
	}
	return ""
}

func pssProblem(m RSAPSS) string {
	return first(
		when(!usable(m.Hash) || !usable(m.MGFHash()), "unknown hash function"),
		when(m.Salt < NoSalt || m.Salt > maxSalt, "salt length out of range"))
}

func ecdhProblem(m ECDH) string {
	_, _, hashed := m.KDF.Hash()
	null := m.KDF == 0 || m.KDF == KDFNull
	return first(
		when(len(m.Public) == 0, "no public key"),
		when(len(m.Public) > maxPoint, "public key too long"),
		when(!hashed && !null, "unknown key derivation function"),
		when(null && len(m.SharedData) != 0, "shared data without a key derivation function"),
		when(len(m.SharedData) > maxShared, "shared data too long"))
}

func hmacProblem(m HMAC) string {
	if !usable(m.Hash) {
		return "unknown hash function"
	}
	return when(m.Length != 0 && (m.Length < minMAC || m.Length > m.Hash.Size()), "length not within 4 bytes and that of the hash")
}

func gcmProblem(m AESGCM) string {
	tag := m.TagSize()
	return first(
		when(len(m.IV) == 0, "no initialisation vector"),
		when(len(m.IV) > maxShared, "initialisation vector too long"),
		when(m.TagBits != 0 && (m.TagBits%8 != 0 || tag < 12 || tag > 16), "tag not 96, 104, 112, 120 or 128 bits"))
}

func when(wrong bool, problem string) string {
	if wrong {
		return problem
	}
	return ""
}

func first(problems ...string) string {
	for _, p := range problems {
		if p != "" {
			return p
		}
	}
	return ""
}
