package myeid

// The nibbles of an access condition, by what they guard.
func (a acl) read() byte       { return a[0] >> 4 }
func (a acl) update() byte     { return a[0] & 0x0F }
func (a acl) remove() byte     { return a[1] >> 4 }
func (a acl) generate() byte   { return a[1] & 0x0F }
func (a acl) use() byte        { return a[0] >> 4 }
func (a acl) createEF() byte   { return a[0] >> 4 }
func (a acl) createDF() byte   { return a[0] & 0x0F }
func pinBit(ref byte) uint16   { return 1 << (ref - 1) }
func consent(prop uint16) byte { return byte(prop >> 12) }

// allowed tells whether a condition is met: 0 always, 1 to E after that PIN,
// F never. Before ACTIVATE APPLET everything is allowed.
func (c *Card) allowed(nibble byte) bool {
	switch {
	case c.lifeCycle != stateOperational, nibble == 0:
		return true
	case nibble == 0x0F:
		return false
	}
	return c.verified&pinBit(nibble) != 0
}

// The rights that are no PIN's own.
const (
	rightUnblock uint16 = 0x4000
	rightAdmin   uint16 = 0x8000
)

// rights is the answer to GET DATA 01AC.
func (c *Card) rights() uint16 {
	if c.lifeCycle != stateOperational {
		return 0xFFFF
	}
	return c.verified
}
