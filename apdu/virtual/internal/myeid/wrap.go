package myeid

import (
	"crypto/rand"
	"crypto/rsa"
)

func wrapping(alg byte) bool { return alg == algWrap || alg == algWrapPad7 }

// wrapTarget returns the file that the environment names as the one to wrap
// or to unwrap into: a secret key, or a transparent file with a generic
// secret.
func (c *Card) wrapTarget() (*file, status) {
	t := c.env.target
	switch {
	case t == nil, !wrapping(c.env.alg):
		return nil, swConditions
	case t.dead:
		return nil, swNoReference
	case !t.kind.isSecret() && !t.isEF():
		return nil, swConditions
	}
	return t, swOK
}

// wrap answers the target key under the environment's key. The target must be
// extractable, and if it asks for a trusted wrapping key it gets no other.
func (c *Card) wrap(f *file, m *command) ([]byte, status) {
	t, sw := c.wrapTarget()
	switch {
	case sw != swOK:
		return nil, sw
	case !c.allowed(t.acl.read()):
		return nil, swSecurity
	case t.prop&propExtractable == 0,
		t.prop&propWrapTrusted != 0 && f.prop&propTrusted == 0:
		return nil, swConditions
	}
	if t.closed != nil {
		return nil, swMemory
	}
	secret := t.secret()
	if secret == nil {
		return nil, swConditions
	}
	switch f.kind.plain() {
	case kindRSA:
		out, err := rsa.EncryptPKCS1v15(rand.Reader, &f.key.rsa.PublicKey, secret)
		if err != nil {
			return nil, swConditions
		}
		return out, swOK
	case kindAES, kindDES:
		if c.env.alg == algWrapPad7 {
			secret = pad7(secret, f.key.block.BlockSize())
			defer clear(secret)
		}
		return c.crypt(f.key.block, secret, false, cbcEncrypt)
	}
	return nil, swConditions
}

// secret returns the bytes of a secret key or a generic secret.
func (f *file) secret() []byte {
	if f.kind.isSecret() {
		return f.key.parts[partSecret]
	}
	return f.content
}

// unwrap deciphers a key into the target file. Nothing comes out of the card.
func (c *Card) unwrap(f *file, m *command) ([]byte, status) {
	t, sw := c.wrapTarget()
	switch {
	case sw != swOK:
		return nil, sw
	case !c.allowed(t.acl.update()):
		return nil, swSecurity
	}
	secret, sw := c.unwrapped(f, m)
	if sw != swOK {
		return nil, sw
	}
	defer clear(secret)
	return nil, c.storeSecret(t, secret)
}

func (c *Card) unwrapped(f *file, m *command) ([]byte, status) {
	switch f.kind.plain() {
	case kindRSA:
		return decryptPKCS1(&f.key, m.Data)
	case kindAES, kindDES:
		out, sw := c.crypt(f.key.block, m.Data, false, cbcDecrypt)
		if sw == swOK && c.env.alg == algWrapPad7 {
			return unpad7(out, f.key.block.BlockSize())
		}
		return out, sw
	}
	return nil, swConditions
}

// storeSecret puts an unwrapped key into its file.
func (c *Card) storeSecret(t *file, secret []byte) status {
	if t.isEF() {
		if len(secret) > len(t.content) {
			return swOutside
		}
		if sw := t.reach(0, len(secret)); sw != swOK {
			return sw
		}
		c.program(t, 0, secret)
		c.wrote(1)
		return swOK
	}
	if len(secret) != int(t.size)/8 {
		return swConditions
	}
	if t.holdsKey() {
		return swInvalidData
	}
	t.key.set(partSecret, secret)
	if !t.key.parse(t.kind, int(t.size)) {
		t.key.clear()
		return swConditions
	}
	c.keyChanged(t, 0, 1)
	return swOK
}
