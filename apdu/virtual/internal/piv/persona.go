package piv

// Persona is what makes one card differ from another.
type Persona struct {
	ATR []byte // kept with the card, and of no use to it
	// Yubico adds the extensions of a YubiKey; Version and Serial are theirs.
	Yubico  bool
	Version [3]byte
	Serial  uint32
	// Label and URL are in the answer to SELECT, if not empty.
	Label, URL string

	// PIN, PUK and GlobalPIN as the card is made. There is a global PIN if it
	// is not empty.
	PIN, PUK, GlobalPIN string
	PINTries, PUKTries  byte
	// ManagementKey is of the algorithm ManagementAlgorithm.
	ManagementAlgorithm Algorithm
	ManagementKey       []byte

	// Algorithms that keys may have.
	Algorithms []Algorithm
	// Extended has the card take extended lengths.
	Extended bool
	// Capacity is what objects and keys may take together, MaxObject what one
	// object may, in bytes.
	Capacity, MaxObject int

	Quirks Quirks
}

// Quirks are ways of cards in the field.
type Quirks struct {
	// OldCounters answers a wrong PIN with 630x, as before SP 800-73-4.
	OldCounters bool
	// BlindStatus answers VERIFY without data with the tries left even where
	// the PIN is verified.
	BlindStatus bool
	// CountsStatus takes VERIFY without data for a wrong PIN.
	CountsStatus bool
	// ReselectDrops has SELECT drop the verified PIN even if the application
	// was selected before.
	ReselectDrops bool
	// NoMoreBytes cuts answers to what was asked for, with no 61xx: the rest
	// is lost.
	NoMoreBytes bool
}

// offers tells whether keys of an algorithm can be had.
func (p *Persona) offers(a Algorithm) bool {
	for _, x := range p.Algorithms {
		if x == a {
			return true
		}
	}
	return false
}
