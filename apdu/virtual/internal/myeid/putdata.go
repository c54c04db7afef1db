package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// putData is PUT DATA: PINs, the applet as a whole, and parts of the key in
// the selected file.
func (c *Card) putData(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1 != 0x01:
		return nil, apdu.SWWrongP1P2
	case m.P2 >= 1 && m.P2 <= pinCount:
		return nil, c.initialisePIN(m.P2, m.Data)
	case m.P2 == 0xE0:
		return nil, c.initialiseApplet(m.Data)
	}
	return nil, c.importPart(m.P2, m.Data)
}

// initialiseApplet wipes everything: FFFF, the access conditions of the
// master file, and those of the application; either may be left out from the
// end. Once activated, the card asks for the right to delete the master file.
func (c *Card) initialiseApplet(data []byte) apdu.Status {
	mf, app := mfACL, appACL
	switch len(data) {
	case 8:
		app = acl(data[5:8])
		fallthrough
	case 5:
		mf = acl(data[2:5])
	case 2:
	default:
		return apdu.SWWrongLength
	}
	if !c.allowed(c.root.acl.remove()) {
		return apdu.SWSecurityNotSatisfied
	}
	c.format(mf, app)
	c.wrote(1)
	return apdu.OK
}

// activateApplet ends the creation state: from here on access conditions
// hold.
func (c *Card) activateApplet(m *command) ([]byte, apdu.Status) {
	switch {
	case m.P1P2() != 0x0400:
		return nil, apdu.SWWrongP1P2
	case string(m.Data) != appName:
		return nil, apdu.SWFileNotFound
	}
	if c.lifeCycle != stateOperational {
		c.lifeCycle = stateOperational
		c.journal.head = true
		c.closeUp()
		c.line.Wrote()
	}
	return nil, apdu.OK
}

// closeUp has everything kept anew that conditions hold for from here on:
// what lay open in the Store is sealed.
func (c *Card) closeUp() {
	if c.store == nil {
		return
	}
	for ref := range c.pins {
		if c.pins[ref].set {
			c.renew(ref)
			if c.pins[ref].pair.Unlocked() {
				c.pins[ref].escrow = nil // to pairs that may be others now
			}
			c.journal.pin(ref)
		}
	}
	c.root.walk(func(f *file) {
		switch {
		case f.guard() == 0:
		case f.isEF():
			c.journal.content(f)
		case f.holdsKey():
			c.journal.key(f)
		}
	})
}
