package piv

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/internal/tlv"
)

// refManagement is the key reference of the management key.
const refManagement = 0x9B

// managementKey is the symmetric key of the card's administrator.
type managementKey struct {
	algorithm Algorithm
	key       []byte
	touch     byte
	changed   bool // it is not the one that the card was made with
}

// proof is an authentication under way: what the card sent last, and what must
// come back.
type proof struct {
	kind  proofKind
	value []byte
}

type proofKind byte

const (
	noProof       proofKind = iota
	awaitWitness            // mutual: the deciphered witness
	awaitResponse           // single: the enciphered challenge
)

func (p *proof) drop() {
	clear(p.value)
	*p = proof{}
}

// authenticate is GENERAL AUTHENTICATE with the management key, SP 800-73-5
// part 2 §3.2.4 and appendix A: mutual, with a witness of the card, or single,
// with a challenge.
func (c *Card) authenticate(m *command, t template) ([]byte, apdu.Status) {
	if Algorithm(m.P1).plain() != c.management.algorithm.plain() {
		return nil, apdu.SWWrongP1P2
	}
	block, ok := c.management.algorithm.block(c.management.key)
	if !ok {
		return nil, apdu.SWConditionsNotSatisfied
	}
	size := block.BlockSize()
	was := c.proof
	c.proof = proof{}
	defer was.drop()
	switch {
	case t.asks(tagWitness):
		return c.sendWitness(size, block.Encrypt)
	case t.asks(tagChallenge) && !t.has(tagWitness):
		return c.sendChallenge(size)
	case t.has(tagWitness) && t.has(tagChallenge):
		if !c.admits(was, awaitWitness, t[tagWitness]) || len(t[tagChallenge]) != size {
			return nil, apdu.SWSecurityNotSatisfied
		}
		out := make([]byte, size)
		block.Encrypt(out, t[tagChallenge])
		return tlv.New(0x7C, tlv.New(tagResponse, out)), apdu.OK
	case t.has(tagResponse) && len(t[tagResponse]) == size:
		plain := make([]byte, size)
		block.Decrypt(plain, t[tagResponse])
		if !c.admits(was, awaitResponse, plain) {
			return nil, apdu.SWSecurityNotSatisfied
		}
		return nil, apdu.OK
	}
	return nil, apdu.SWWrongData
}

// sendWitness begins the mutual form.
func (c *Card) sendWitness(size int, encrypt func(dst, src []byte)) ([]byte, apdu.Status) {
	c.proof = proof{awaitWitness, random(size)}
	out := make([]byte, size)
	encrypt(out, c.proof.value)
	return tlv.New(0x7C, tlv.New(tagWitness, out)), apdu.OK
}

// sendChallenge begins the single form.
func (c *Card) sendChallenge(size int) ([]byte, apdu.Status) {
	c.proof = proof{awaitResponse, random(size)}
	return tlv.New(0x7C, tlv.New(tagChallenge, bytes.Clone(c.proof.value))), apdu.OK
}

// admits judges what came back. A failure ends an earlier authentication.
func (c *Card) admits(p proof, kind proofKind, value []byte) bool {
	c.admin = p.kind == kind && len(p.value) > 0 && subtle.ConstantTimeCompare(p.value, value) == 1
	if c.admin && c.management.touch > 1 {
		c.admin = c.touched()
	}
	return c.admin
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// setManagementKey is Yubico's SET MANAGEMENT KEY: algorithm, 9B, length, key.
func (c *Card) setManagementKey(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1 != 0xFF || m.P2 != 0xFF && m.P2 != 0xFE && m.P2 != 0xFD:
		return nil, apdu.SWWrongP1P2
	case !c.admin:
		return nil, apdu.SWSecurityNotSatisfied
	case len(m.Data) < 3 || m.Data[1] != refManagement || int(m.Data[2]) != len(m.Data)-3:
		return nil, apdu.SWWrongData
	}
	a, key := Algorithm(m.Data[0]), m.Data[3:]
	if _, ok := a.block(key); !ok {
		return nil, apdu.SWWrongData
	}
	clear(c.management.key)
	c.management = managementKey{
		algorithm: a.plain(), key: bytes.Clone(key), changed: true,
		touch: map[byte]byte{0xFF: 1, 0xFE: 2, 0xFD: 3}[m.P2],
	}
	c.journal.head = true
	c.line.Wrote()
	return nil, apdu.OK
}
