package piv

import "fmt"

// Fill puts objects, by tag and with their wrapper, and private keys in PKCS
// #8, by key reference, on the card, in place of what is there. Objects are
// taken as they are, damaged or not.
func (c *Card) Fill(objects map[uint32][]byte, keys map[byte][]byte) error {
	for tag, raw := range objects {
		if len(raw) <= 2 { // a wrapper of nothing
			raw = nil
		}
		c.putObject(tag, append([]byte(nil), raw...))
	}
	for ref, pkcs8 := range keys {
		k, err := parseKey(pkcs8)
		if err != nil || !isSlot(ref) {
			return fmt.Errorf("key %02X: %w", ref, errKind)
		}
		c.place(ref, k)
	}
	if c.globalCounts() && c.pins[refGlobalPIN] == nil {
		c.pins[refGlobalPIN] = newPIN(c.persona.PIN, c.persona.PINTries)
		c.journal.pin(refGlobalPIN)
	}
	return c.commit()
}
