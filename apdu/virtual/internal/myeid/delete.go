package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// deleteFile removes the current file, a DF with all that is in it, and
// selects the DF that it was in (ISO 7816-9 §9.3).
func (c *Card) deleteFile(m *command) ([]byte, apdu.Status) {
	if m.P1P2() != 0 {
		return nil, apdu.SWWrongP1P2
	}
	f := c.current
	switch {
	case f.parent == nil, f.isDF() && f.prop&propPermanent != 0:
		return nil, apdu.SWConditionsNotSatisfied
	case !c.allowed(f.acl.remove()):
		return nil, apdu.SWSecurityNotSatisfied
	}
	c.current = f.parent
	c.detach(f)
	c.wrote(1)
	return nil, apdu.OK
}
