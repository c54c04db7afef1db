package mechanism

import (
	"crypto"
	"fmt"

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
func Check(m Mechanism) error { return check(Resolve(m)) }

// Prepare is Check and [Prehash] in one: it returns the hash function of a
// mechanism that hashes its input first, 0 for others, and the mechanism that
// takes the digest, or the mechanism itself, resolved.
func Prepare(m Mechanism) (h crypto.Hash, prepared Mechanism, err error) {
	m = Resolve(m)
	if err := check(m); err != nil {
		return 0, nil, err
	}
	h, prepared = prehash(m)
	return h, prepared, nil
}

// check is Check for a resolved mechanism.
func check(m Mechanism) error {
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

// vectorProblem says what is wrong with an initialisation vector.
func vectorProblem(iv []byte, size int) string {
	if len(iv) == size {
		return ""
	}
	return fmt.Sprintf("the initialisation vector is not %d bytes", size)
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
