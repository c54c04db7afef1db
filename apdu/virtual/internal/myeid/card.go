package myeid

import (
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// Life cycle states of the applet. Access conditions hold only in the second.
const (
	stateCreation    = 0x01
	stateOperational = 0x07
)

// Card is one card. Its zero value is not usable: New, or Load.
type Card struct {
	persona Persona
	store   record.Store // nil: the state lives in memory only
	kit     seal.Kit     // for what the Store keeps
	broken  error        // why the Store could neither keep nor give back the state
	line    exchange.Line

	// The lasting state.
	id        []byte // drawn for this card alone
	lifeCycle byte
	counter   uint16 // grows with every write; clients drop their caches by it
	nextUID   uint32
	root      *file
	pins      [pinCount + 1]pin // by reference; 0 is not used
	used      int               // bytes of the capacity taken
	journal   journal

	// What is lost with the power.
	verified uint16 // bit n-1: PIN n; then unblocker and admin
	current  *file
	env      environment
	half     []byte // first half of a cryptogram in the split form
}

// New returns a blank card: the master file, the PKCS #15 application 5015,
// no PIN, in the creation state.
func New(p Persona) *Card {
	c := &Card{persona: p, counter: 1, nextUID: 1}
	c.format(mfACL, appACL)
	c.Reset()
	return c
}

// Persona returns what the card is.
func (c *Card) Persona() Persona { return c.persona }

// Reset does what a loss of power does: nothing is verified, the master file
// is selected, session objects are gone.
func (c *Card) Reset() {
	c.verified = 0
	c.current = c.root
	c.env.drop()
	c.line.Reset()
	c.dropHalf()
	c.dropSessionFiles(c.root)
}

func (c *Card) dropHalf() {
	clear(c.half)
	c.half = nil
}

// FailAfter has the power fail after so many writes of the next command.
func (c *Card) FailAfter(writes int) { c.line.FailAfter(writes) }

// wrote counts n writes, which is a write itself.
func (c *Card) wrote(n int) {
	c.counter += uint16(n)
	c.journal.head = true
	c.line.Wrote()
}
