package myeid

// setBy tells whether a PIN may be set by who has verified another one,
// without its code and its PUK.
func (p *pin) setBy(other *pin) bool {
	return p.flags&pinAdminSets != 0 && other.flags&pinAdmin != 0 ||
		p.flags&pinUnblockable != 0 && other.flags&pinUnblocker != 0
}

// deposit seals the private half of a PIN's pair to the pairs of those that
// may set it: the keys that it guards stay usable under the new code, as on a
// card that seals nothing.
func (c *Card) deposit(ref int) error {
	p := &c.pins[ref]
	private := p.pair.Private()
	if private == nil {
		return nil
	}
	defer clear(private)
	for by := range c.pins {
		other := &c.pins[by]
		if by == ref || other.pair == nil || !p.setBy(other) || p.escrow[byte(by)] != nil {
			continue
		}
		sealed, err := other.pair.Seal(private, c.escrowLabel(byte(ref), byte(by)))
		if err != nil {
			return err
		}
		if p.escrow == nil {
			p.escrow = make(map[byte][]byte)
		}
		p.escrow[byte(by)] = sealed
	}
	return nil
}

// recover makes the private half of a PIN's pair known through the PIN of who
// may set it. Without it a new code could not be kept.
func (c *Card) recover(ref byte) bool {
	p := &c.pins[ref]
	if c.store == nil || p.pair.Unlocked() {
		return true
	}
	for by, sealed := range p.escrow {
		private, err := c.pins[by].pair.Open(sealed, c.escrowLabel(ref, by))
		if err != nil {
			continue
		}
		err = p.pair.Unlock(private)
		clear(private)
		if err == nil {
			c.unseal(ref)
			return true
		}
	}
	return false
}

func (c *Card) escrowLabel(ref, by byte) string {
	return c.label(recordKey(pinFolder, uint32(ref)), "for "+recordKey(pinFolder, uint32(by)))
}
