package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// Algorithm references of MANAGE SECURITY ENVIRONMENT, tag 80.
const (
	algRaw      = 0x00 // RSA, AES and DES as they are
	algPKCS1    = 0x02
	algEC       = 0x04
	algSHA1     = 0x12 // SHA-1 DigestInfo and PKCS #1
	algWrap     = 0x0A
	algPKCS7    = 0x80
	algWrapPad7 = 0x8A
)

// What an environment is for: P1 P2 of MSE SET.
const (
	forSigning     = 0x41B6
	forDecryption  = 0x41B8
	forAgreement   = 0x41A4
	forEncryption  = 0x81B8
	restoreEmptied = 0xF300
)

const blockMost = 16 // the longest block of the ciphers, and so of an IV

// environment is what the next security operations work with. Without one,
// purpose is zero.
type environment struct {
	purpose     uint16
	alg         byte
	key, target *file
	iv          [blockMost]byte // as it was set, zero if it was not
	chained     [blockMost]byte // the last block of a message that goes on
	ivSet       bool
	open        bool // a message goes on
}

// drop forgets the environment.
func (e *environment) drop() { *e = environment{} }

// ready returns the key file if the environment is for a purpose.
func (e *environment) ready(purpose uint16) (*file, apdu.Status) {
	if e.purpose != purpose {
		return nil, apdu.SWConditionsNotSatisfied
	}
	if e.key.dead {
		return nil, apdu.SWReferenceNotFound
	}
	return e.key, apdu.OK
}

// manageSecurityEnvironment is MSE SET, and RESTORE of the empty environment
// (ISO 7816-4 §7.5.11). A failure leaves no environment.
func (c *Card) manageSecurityEnvironment(m *command) ([]byte, apdu.Status) {
	c.env.drop()
	c.dropHalf()
	switch m.P1P2() {
	case restoreEmptied:
		if len(m.Data) != 0 {
			return nil, lcInconsistent
		}
		return nil, apdu.OK
	case forSigning, forDecryption, forAgreement, forEncryption:
	default:
		return nil, apdu.SWFunctionNotSupported
	}
	e := environment{purpose: m.P1P2()}
	var algSet bool
	for rest := m.Data; ; {
		tag, value, after, ok := nextTLV(rest)
		if !ok {
			return nil, apdu.SWReferenceNotUsable
		}
		if value == nil {
			break
		}
		rest = after
		if sw := c.setReference(&e, tag, value); sw != apdu.OK {
			return nil, sw
		}
		algSet = algSet || tag == 0x80
	}
	if !algSet || e.key == nil {
		return nil, apdu.SWFunctionNotSupported
	}
	c.env = e
	return nil, apdu.OK
}

// setReference takes one control reference data object.
func (c *Card) setReference(e *environment, tag byte, value []byte) apdu.Status {
	switch {
	case tag == 0x80 && len(value) == 1 && knownAlgorithm(value[0]):
		e.alg = value[0]
	case tag == 0x81 && len(value) == 2:
		if e.key = c.current.directory().childEF(fid(value)); e.key == nil {
			return apdu.SWReferenceNotFound
		}
	case (tag == 0x83 || tag == 0x84) && len(value) == 2:
		if e.target = c.current.directory().childEF(fid(value)); e.target == nil {
			return apdu.SWReferenceNotFound
		}
	case (tag == 0x83 || tag == 0x84) && len(value) == 1 && value[0] == 0:
		// The only key in the file.
	case tag == 0x87 && len(value) <= blockMost:
		copy(e.iv[:], value)
		e.ivSet = true
	case tag == 0x80, tag == 0x81, tag == 0x83, tag == 0x84:
		return apdu.SWFunctionNotSupported
	case tag == 0x87:
		return apdu.SWReferenceNotUsable
	default:
		return apdu.SWWrongData
	}
	return apdu.OK
}

func knownAlgorithm(alg byte) bool {
	switch alg {
	case algRaw, algPKCS1, algEC, algSHA1, algWrap, algPKCS7, algWrapPad7:
		return true
	}
	return false
}
