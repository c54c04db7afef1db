package mechanism

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// Generator says who makes the nonces of messages, a CK_GENERATOR_FUNCTION.
type Generator uint64

// The generators.
const (
	NoGenerate         Generator = 0 // CKG_NO_GENERATE: the caller gives each
	Generate           Generator = 1 // CKG_GENERATE: as the token likes
	GenerateCounter    Generator = 2 // CKG_GENERATE_COUNTER
	GenerateRandom     Generator = 3 // CKG_GENERATE_RANDOM
	GenerateCounterXOR Generator = 4 // CKG_GENERATE_COUNTER_XOR: the counter changes what is given
)

// Nonce is the initialisation vector or nonce of one message. With a
// Generator, Value says how long it is, and its first FixedBits bits stay; the
// others are made new for each message.
type Nonce struct {
	Value     []byte
	FixedBits int
	Generator Generator
}

// minRandomBits is the least that a random part has, so that two are hardly
// ever equal.
const minRandomBits = 64

// For returns the nonce of the n-th message, from 0. It returns
// ckr.MechanismParamInvalid for parameters that make no sense, and
// ckr.KeyExhausted when a counter has come to its end.
func (n Nonce) For(count uint64) ([]byte, error) {
	free := 8*len(n.Value) - n.FixedBits
	random := n.Generator == GenerateRandom || n.Generator == Generate
	switch {
	case n.Generator > GenerateCounterXOR, n.FixedBits < 0, len(n.Value) > maxShared:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "nonce", "no such generator or length")
	case n.Generator == NoGenerate:
		return n.Value, nil
	case free <= 0, random && free < minRandomBits:
		return nil, ckr.Newf(ckr.MechanismParamInvalid, "nonce", "%d bits are too few to make new ones of", free)
	case !random && free < 64 && count>>free != 0:
		return nil, ckr.Newf(ckr.KeyExhausted, "nonce", "a counter of %d bits has come to its end", free)
	}
	made := make([]byte, len(n.Value))
	if random {
		rand.Read(made)
	} else {
		var counter [8]byte
		binary.BigEndian.PutUint64(counter[:], count)
		tail := min(len(made), len(counter))
		copy(made[len(made)-tail:], counter[len(counter)-tail:])
	}
	if n.Generator == GenerateCounterXOR {
		for i := range made {
			made[i] ^= n.Value[i]
		}
		return made, nil
	}
	for bit := range n.FixedBits { // the fixed bits are those given
		mask := byte(0x80) >> (bit % 8)
		made[bit/8] = made[bit/8]&^mask | n.Value[bit/8]&mask
	}
	return made, nil
}

// Seal is what encrypting one message gives: the nonce that was used, the
// ciphertext, and the tag apart.
type Seal struct{ Nonce, Data, Tag []byte }

// ForMessage returns a mechanism that authenticates for one message with a
// nonce and associated data, and the length of its tag in bytes. ok is false
// for other mechanisms.
func ForMessage(m Mechanism, nonce, data []byte) (one Mechanism, tag int, ok bool) {
	if m, yes := Resolve(m).(interface {
		forMessage(nonce, data []byte) (Mechanism, int)
	}); yes {
		one, tag = m.forMessage(nonce, data)
		return one, tag, true
	}
	return nil, 0, false
}
