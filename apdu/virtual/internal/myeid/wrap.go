package myeid

import (
	"crypto/rand"
	"crypto/rsa"

	"github.com/go-cryptoki/cryptoki/apdu"
)

func wrapping(alg byte) bool { return alg == algWrap || alg == algWrapPad7 }

// wrapTarget returns the file that the environment names as the one to wrap
// or to unwrap into: a secret key, or a transparent file with a generic
// secret.
func (c *Card) wrapTarget() (*file, apdu.Status) {
	t := c.env.target
	switch {
	case t == nil, !wrapping(c.env.alg):
		return nil, apdu.SWConditionsNotSatisfied
	case t.dead:
		return nil, apdu.SWReferenceNotFound
	case !t.kind.isSecret() && !t.isEF():
		return nil, apdu.SWConditionsNotSatisfied
	}
	return t, apdu.OK
}

// wrap answers the target key under the environment's key. The target must be
// extractable, and if it asks for a trusted wrapping key it gets no other.
func (c *Card) wrap(f *file, m *command) ([]byte, apdu.Status) {
	t, sw := c.wrapTarget()
	switch {
	case sw != apdu.OK:
		return nil, sw
	case !c.allowed(t.acl.read()):
		return nil, apdu.SWSecurityNotSatisfied
	case t.prop&propExtractable == 0,
		t.prop&propWrapTrusted != 0 && f.prop&propTrusted == 0:
		return nil, apdu.SWConditionsNotSatisfied
	}
	if t.closed != nil {
		return nil, apdu.SWMemoryFailure
	}
	secret := t.secret()
	if secret == nil {
		return nil, apdu.SWConditionsNotSatisfied
	}
	switch f.kind.plain() {
	case kindRSA:
		out, err := rsa.EncryptPKCS1v15(rand.Reader, &f.key.rsa.PublicKey, secret)
		if err != nil {
			return nil, apdu.SWConditionsNotSatisfied
		}
		return out, apdu.OK
	case kindAES, kindDES:
		if c.env.alg == algWrapPad7 {
			secret = pad7(secret, f.key.block.BlockSize())
			defer clear(secret)
		}
		return c.crypt(f.key.block, secret, false, cbcEncrypt)
	}
	return nil, apdu.SWConditionsNotSatisfied
}

// secret returns the bytes of a secret key or a generic secret.
func (f *file) secret() []byte {
	if f.kind.isSecret() {
		return f.key.parts[partSecret]
	}
	return f.content
}

// unwrap deciphers a key into the target file. Nothing comes out of the card.
func (c *Card) unwrap(f *file, m *command) ([]byte, apdu.Status) {
	t, sw := c.wrapTarget()
	switch {
	case sw != apdu.OK:
		return nil, sw
	case !c.allowed(t.acl.update()):
		return nil, apdu.SWSecurityNotSatisfied
	}
	secret, sw := c.unwrapped(f, m)
	if sw != apdu.OK {
		return nil, sw
	}
	defer clear(secret)
	return nil, c.storeSecret(t, secret)
}

func (c *Card) unwrapped(f *file, m *command) ([]byte, apdu.Status) {
	switch f.kind.plain() {
	case kindRSA:
		return decryptPKCS1(&f.key, m.Data)
	case kindAES, kindDES:
		out, sw := c.crypt(f.key.block, m.Data, false, cbcDecrypt)
		if sw == apdu.OK && c.env.alg == algWrapPad7 {
			return unpad7(out, f.key.block.BlockSize())
		}
		return out, sw
	}
	return nil, apdu.SWConditionsNotSatisfied
}

// storeSecret puts an unwrapped key into its file.
func (c *Card) storeSecret(t *file, secret []byte) apdu.Status {
	if t.isEF() {
		if len(secret) > len(t.content) {
			return apdu.SWWrongOffset
		}
		if sw := t.reach(0, len(secret)); sw != apdu.OK {
			return sw
		}
		c.program(t, 0, secret)
		c.wrote(1)
		return apdu.OK
	}
	if len(secret) != int(t.size)/8 {
		return apdu.SWConditionsNotSatisfied
	}
	if t.holdsKey() {
		return apdu.SWReferenceNotUsable
	}
	t.key.set(partSecret, secret)
	if !t.key.parse(t.kind, int(t.size)) {
		t.key.clear()
		return apdu.SWConditionsNotSatisfied
	}
	c.keyChanged(t, 0, 1)
	return apdu.OK
}
