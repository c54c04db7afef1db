package myeid

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Public exponents that GENERATE KEY PAIR may ask for: 65537 alone, in a
// sequence, under either of two tags.
var (
	exponentTag81 = []byte{0x30, 0x05, 0x81, 0x03, 0x01, 0x00, 0x01}
	exponentTag02 = []byte{0x30, 0x05, 0x02, 0x03, 0x01, 0x00, 0x01}
)

// generateKeyPair makes a key in the current file, which must be empty. It
// answers the public key if the command has room for it.
func (c *Card) generateKeyPair(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	f := c.current
	rsaFile, ecFile := f.kind.plain() == kindRSA, f.kind.plain() == kindEC
	switch {
	case f.isDF():
		return nil, apdu.SWNoCurrentEF
	case !rsaFile && !ecFile, ecFile && len(m.Data) != 0:
		return nil, apdu.SWConditionsNotSatisfied
	case rsaFile && len(m.Data) != 0 && !bytes.Equal(m.Data, exponentTag81) && !bytes.Equal(m.Data, exponentTag02):
		return nil, apdu.SWReferenceNotUsable
	case !c.allowed(f.acl.generate()):
		return nil, apdu.SWSecurityNotSatisfied
	case f.holdsKey():
		return nil, apdu.SWReferenceNotUsable
	}
	if rsaFile {
		return c.generateRSA(f)
	}
	return c.generateEC(f)
}

func (c *Card) generateRSA(f *file) ([]byte, apdu.Status) {
	priv, err := rsa.GenerateKey(rand.Reader, int(f.size))
	if err != nil {
		return nil, apdu.SWNoDiagnosis
	}
	f.key.setRSA(priv)
	c.keyChanged(f, propGenerated, max(c.persona.RSASteps, 1))
	return f.key.modulus(), apdu.OK
}

func (c *Card) generateEC(f *file) ([]byte, apdu.Status) {
	priv, err := ecdsa.GenerateKey(curveOf(int(f.size)), rand.Reader)
	if err != nil || !f.key.setEC(priv) {
		return nil, apdu.SWNoDiagnosis
	}
	c.keyChanged(f, propGenerated, max(c.persona.ECSteps, 1))
	return f.key.point(0x86), apdu.OK
}
