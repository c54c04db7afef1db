package myeid

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"slices"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Parts of a key, by P2 of PUT DATA.
const (
	partModulus    = 0x80
	partExponent   = 0x81
	partPrivateExp = 0x82
	partP          = 0x83
	partQ          = 0x84
	partDP         = 0x85
	partDQ         = 0x86
	partQInv       = 0x87
	partModulusHi  = 0x88
	partModulusLo  = 0x89
	partPrivExpHi  = 0x8A
	partPrivExpLo  = 0x8B
	partPoint      = 0x86 // EC
	partScalar     = 0x87 // EC
	partSecret     = 0xA0
)

// key is what a key file holds: the parts as they came in or were generated,
// which are what is kept, and the key ready for use as long as they make one.
// Parsing a key costs more than a P-256 signature, so it is done once.
type key struct {
	parts map[byte][]byte
	pub   *rsa.PublicKey // known also while the private parts are not
	q     []byte         // the public point 04 X Y; likewise
	rsa   *rsa.PrivateKey
	ec    *ecdsa.PrivateKey
	dh    *ecdh.PrivateKey
	block cipher.Block
}

func (k *key) usable() bool { return k.rsa != nil || k.ec != nil || k.block != nil }

func (k *key) empty() bool { return len(k.parts) == 0 }

// clear wipes the parts. What the standard library holds of the key is left
// to the garbage collector.
func (k *key) clear() {
	for _, part := range k.parts {
		clear(part)
	}
	*k = key{}
}

// set keeps one part.
func (k *key) set(id byte, value []byte) {
	if k.parts == nil {
		k.parts = make(map[byte][]byte)
	}
	k.parts[id] = slices.Clone(value)
}

// unset takes one part back, and with it the key that it spoiled.
func (k *key) unset(id byte) {
	clear(k.parts[id])
	delete(k.parts, id)
	*k = key{parts: k.parts}
}

// importPart is PUT DATA 0180 to 01A0: one part of the key in the current
// file. The key is ready once its parts suffice.
func (c *Card) importPart(id byte, data []byte) apdu.Status {
	f := c.current
	switch {
	case f.isDF():
		return apdu.SWNoCurrentEF
	case !f.kind.isKey():
		return apdu.SWConditionsNotSatisfied
	case !c.allowed(f.acl.update()):
		return apdu.SWSecurityNotSatisfied
	}
	if sw := f.checkPart(id, data); sw != apdu.OK {
		return sw
	}
	if f.hasPart(id) || f.prop&propGenerated != 0 {
		return apdu.SWReferenceNotUsable
	}
	if f.closed != nil && f.prop&propValid != 0 {
		return apdu.SWConditionsNotSatisfied // whether it belongs to the key cannot be told
	}
	f.key.set(id, data)
	if !f.key.parse(f.kind, int(f.size)) {
		f.key.unset(id)
		f.key.parse(f.kind, int(f.size))
		return apdu.SWReferenceNotUsable
	}
	c.keyChanged(f, 0, 1)
	return apdu.OK
}

// keyChanged writes a new key or part, and then what is new of its file's
// properties; prop is what to add to them. The public half of a key is told
// only once the properties say that the key is valid, so that a loss of power
// in between leaves a private key without its public half.
func (c *Card) keyChanged(f *file, prop uint16, writes int) {
	c.journal.key(f)
	c.line.Wrote()
	if f.key.usable() {
		prop |= propValid
	}
	if f.prop|prop != f.prop {
		f.prop |= prop
		c.journal.header(f)
		c.line.Wrote()
	}
	c.wrote(writes)
}

// checkPart checks that a part belongs to such a key and has a length that
// can be.
func (f *file) checkPart(id byte, data []byte) apdu.Status {
	n := len(data)
	switch f.kind.plain() {
	case kindRSA:
		return checkRSAPart(id, n, int(f.size)/8)
	case kindEC:
		field := (int(f.size) + 7) / 8
		switch {
		case id == partScalar && n == field, id == partPoint && n == 2*field+1:
			return apdu.OK
		case id == partScalar, id == partPoint:
			return apdu.SWWrongLength
		}
	default:
		switch {
		case id == partSecret && n == int(f.size)/8:
			return apdu.OK
		case id == partSecret:
			return apdu.SWWrongLength
		}
	}
	return apdu.SWReferenceNotFound
}

// parse makes the key usable once the parts suffice. It is false if the parts
// contradict each other.
func (k *key) parse(kind kind, bits int) (ok bool) {
	switch kind.plain() {
	case kindRSA:
		return k.parseRSA(bits)
	case kindEC:
		return k.parseEC(bits)
	}
	var err error
	switch secret := k.parts[partSecret]; {
	case secret == nil:
	case kind.plain() == kindAES:
		k.block, err = aes.NewCipher(secret)
	case len(secret) == 8:
		k.block, err = des.NewCipher(secret)
	case len(secret) == 16:
		k.block, err = des.NewTripleDESCipher(slices.Concat(secret, secret[:8]))
	default:
		k.block, err = des.NewTripleDESCipher(secret)
	}
	return err == nil
}
