package apdu

import "fmt"

// A framing is how a command is sent.
type framing int

const (
	byShort    framing = iota // one short APDU, its answer fetched in parts
	byExtended                // one extended APDU
	byChain                   // a chain of short APDUs
)

// shortCommand and shortAnswer are the lengths that every reader carries.
const (
	shortCommand = 261
	shortAnswer  = 258
)

// framing decides on what card and reader are known to carry. A card that says
// nothing about itself is tried with a chain, which it can refuse, but never
// with an extended APDU, which it may misread.
func (c *Conn) framing(cmd Command) (framing, error) {
	caps := c.caps.Load()
	switch {
	case cmd.FitsShort():
		return byShort, nil
	case c.extendedFits(cmd, caps):
		return byExtended, nil
	case len(cmd.Data) <= MaxShortData:
		return byShort, nil
	case caps.Chaining || !caps.Known:
		return byChain, nil
	}
	return 0, fmt.Errorf("%w: %d bytes of data", ErrTooLong, len(cmd.Data))
}

// extendedFits tells whether reader and card carry the command as one extended
// APDU. T=0 has none.
func (c *Conn) extendedFits(cmd Command, caps *Capabilities) bool {
	if !caps.Extended || c.info.Protocol == T0 || c.info.MaxCommand <= shortCommand {
		return false
	}
	length := 4 + 3 + len(cmd.Data)
	if cmd.Le > 0 {
		length += 2
	}
	if length > c.info.MaxCommand || caps.MaxCommand > 0 && length > caps.MaxCommand {
		return false
	}
	// An extended APDU that only asks for more needs a reader to bring it.
	return len(cmd.Data) > MaxShortData || c.maxAnswer() > shortAnswer
}

// maxAnswer is the longest answer, with status word, that reader and card
// carry.
func (c *Conn) maxAnswer() int {
	n := c.info.MaxResponse
	if most := c.caps.Load().MaxResponse; most > 0 {
		n = min(n, most)
	}
	return min(max(n, shortAnswer), maxResponse)
}
