package piv

import (
	"bytes"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/exchange"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// aid names the application, SP 800-73-5 part 1 §2.2. Its beginning selects
// it, too.
var aid = []byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00}

// Key references of PINs, SP 800-73-5 part 1 table 4.
const (
	refGlobalPIN = 0x00
	refPIN       = 0x80
	refPUK       = 0x81
)

// Card is the application on one card. Its zero value is not usable: New,
// Create or Load.
type Card struct {
	persona Persona
	store   record.Store // nil: the state lives in memory only
	kit     seal.Kit     // for what the Store keeps
	broken  error        // why the Store could neither keep nor give back the state
	line    exchange.Line

	// The lasting state.
	id         []byte     // drawn for this card alone
	pair       *seal.Pair // what is private is sealed to it, as it is kept; nil: made then
	pins       map[byte]*pin
	management managementKey
	objects    map[uint32][]byte // by tag, with their wrapper 53, 7E or 7F61
	closed     map[uint32]sealed // objects that are not known yet
	keys       map[byte]*key     // by key reference
	root       []byte            // certificate of the attestation authority
	journal    journal

	// What is lost with the power, and when another application is selected.
	verified map[byte]bool // PINs
	fresh    bool          // a PIN was just verified, for a key that needs it each time
	admin    bool          // the management key was proved
	proof    proof
	touch    func() bool
}

// New returns a card in memory.
func New(p Persona) *Card {
	c := &Card{persona: p}
	c.format()
	c.Reset()
	return c
}

// SetTouch has f asked whether the key is touched, where a key needs it. It is
// always touched otherwise.
func (c *Card) SetTouch(f func() bool) { c.touch = f }

// FailAfter has the power fail after so many writes of the next command.
func (c *Card) FailAfter(writes int) { c.line.FailAfter(writes) }

func (c *Card) touched() bool { return c.touch == nil || c.touch() }

// Persona returns what the card is.
func (c *Card) Persona() Persona { return c.persona }

// Extended tells whether the card takes extended lengths.
func (c *Card) Extended() bool { return c.persona.Extended }

// Root is the certificate of the authority that signs attestations, or nil.
func (c *Card) Root() []byte { return bytes.Clone(c.root) }

// format makes the card as it leaves its maker.
func (c *Card) format() {
	c.objects, c.keys = make(map[uint32][]byte), make(map[byte]*key)
	c.clear(c.persona.PIN, c.persona.PUK, c.persona.GlobalPIN)
	if c.persona.Yubico {
		c.certifyAttestation()
	}
}

// clear sets PINs, keys and objects back; the attestation key and its
// certificate stay. There is a global PIN if it is not empty. The PINs come
// last: as long as they are blocked, a command during which the power failed
// can be given again.
func (c *Card) clear(user, puk, global string) {
	for ref := range c.keys {
		if ref != refAttestation {
			c.dropKey(ref)
		}
	}
	for tag := range c.closed {
		c.putObject(tag, nil)
	}
	for tag := range c.objects {
		if tag != tagAttestation {
			c.putObject(tag, nil)
		}
	}
	p := &c.persona
	c.putObject(tagDiscovery, discovery(global != ""))
	c.management = managementKey{algorithm: p.ManagementAlgorithm, key: bytes.Clone(p.ManagementKey)}
	c.journal.head = true
	c.line.Wrote()
	c.clearPINs(user, puk, global)
	c.Reset()
}

// clearPINs sets the PINs back, in one write with the pair that they open.
func (c *Card) clearPINs(user, puk, global string) {
	p := &c.persona
	c.pair = nil
	c.pins = map[byte]*pin{
		refPIN: newPIN(user, p.PINTries),
		refPUK: newPIN(puk, p.PUKTries),
	}
	if global != "" {
		c.pins[refGlobalPIN] = newPIN(global, p.PINTries)
	}
	for ref := range c.pins {
		c.journal.pin(ref)
	}
	c.line.Wrote()
}

// discovery is the object that tells which PINs there are, SP 800-73-5 part 1
// §3.3.2.
func discovery(global bool) []byte {
	policy := byte(0x40)
	if global {
		policy |= 0x20
	}
	out := []byte{0x7E, 0x12, 0x4F, 0x0B}
	out = append(out, aid...)
	return append(out, 0x5F, 0x2F, 0x02, policy, map[bool]byte{false: 0x00, true: 0x10}[global])
}

// Reset does what a loss of power does, or the selection of another
// application: nothing is verified.
func (c *Card) Reset() {
	c.verified = make(map[byte]bool)
	c.fresh, c.admin = false, false
	c.proof.drop()
	c.line.Reset()
}

// Selects tells whether a name in SELECT is this application's: its own, or
// the beginning of it with at least the five bytes of the provider.
func (c *Card) Selects(name []byte) bool {
	return len(name) >= 5 && bytes.HasPrefix(aid, name)
}
