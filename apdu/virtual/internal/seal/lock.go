package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"

	"golang.org/x/crypto/argon2"
)

const (
	saltLength = 16
	keyLength  = 32
	maxSecret  = 1 << 10 // more than any private half
)

// Cost is what one derivation takes.
type Cost struct {
	Time    uint32 // passes over the memory
	Memory  uint32 // KiB
	Threads uint8
}

// Standard is the second choice of RFC 9106 §4: 64 MiB, three passes, four
// lanes.
func Standard() Cost { return Cost{Time: 3, Memory: 64 << 10, Threads: 4} }

// bearable tells whether a cost that a file asks for is one to pay: a hostile
// file must not take all memory or time.
func (c Cost) bearable() bool {
	return c.Time >= 1 && c.Time <= 8 && c.Threads >= 1 && c.Threads <= 16 &&
		c.Memory >= 8*uint32(c.Threads) && c.Memory <= 256<<10
}

// Kit is what locks are made with.
type Kit struct {
	Cost    Cost   // of new locks
	Derived func() // called for each derivation, if not nil
}

// Lock holds a secret that a code opens.
type Lock struct {
	Cost   Cost
	Salt   []byte
	Sealed []byte

	key []byte // what the code gave, once it was there
}

// Valid tells whether a Lock that was read from a file can be tried.
func (l *Lock) Valid() bool {
	return l != nil && l.Cost.bearable() && len(l.Salt) == saltLength && len(l.Sealed) <= maxSecret
}

// Close puts a secret under a code.
func (k Kit) Close(code, secret []byte, label string) *Lock {
	l := &Lock{Cost: k.Cost, Salt: make([]byte, saltLength)}
	rand.Read(l.Salt)
	l.key = k.derive(l, code)
	l.seal(secret, label)
	return l
}

// Open returns the secret if the code is the right one. Damage to the Lock is
// as a wrong code. The secret is the caller's to clear.
func (k Kit) Open(l *Lock, code []byte, label string) (secret []byte, ok bool) {
	if !l.Valid() {
		return nil, false
	}
	key := k.derive(l, code)
	aead := newAEAD(key)
	secret, err := aead.Open(nil, nil, l.Sealed, []byte(label))
	if err != nil {
		clear(key)
		return nil, false
	}
	l.key = key
	return secret, true
}

// Refill returns a Lock with another secret under the same code, without a
// derivation, or nil if the code has not been seen.
func (l *Lock) Refill(secret []byte, label string) *Lock {
	if l == nil || l.key == nil {
		return nil
	}
	out := &Lock{Cost: l.Cost, Salt: l.Salt, key: l.key}
	out.seal(secret, label)
	return out
}

func (l *Lock) seal(secret []byte, label string) {
	l.Sealed = newAEAD(l.key).Seal(nil, nil, secret, []byte(label))
}

func (k Kit) derive(l *Lock, code []byte) []byte {
	if k.Derived != nil {
		k.Derived()
	}
	return argon2.IDKey(code, l.Salt, l.Cost.Time, l.Cost.Memory, l.Cost.Threads, keyLength)
}

// newAEAD is AES-256-GCM with a nonce that it draws and puts in front.
func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("seal: " + err.Error()) // keys are of one length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return aead
}
