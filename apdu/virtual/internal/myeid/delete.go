package myeid

// deleteFile removes the current file, a DF with all that is in it, and
// selects the DF that it was in (ISO 7816-9 §9.3).
func (c *Card) deleteFile(m *command) ([]byte, status) {
	if m.P1P2() != 0 {
		return nil, swP1P2
	}
	f := c.current
	switch {
	case f.parent == nil, f.isDF() && f.prop&propPermanent != 0:
		return nil, swConditions
	case !c.allowed(f.acl.remove()):
		return nil, swSecurity
	}
	c.current = f.parent
	c.detach(f)
	c.wrote(1)
	return nil, swOK
}
