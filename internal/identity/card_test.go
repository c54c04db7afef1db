package identity_test

import (
	"bytes"
	"crypto"
	"fmt"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// kind is what a card is like.
type kind int

const (
	myEID kind = iota
	nistPIV
	noCHUID // nistPIV without what tells it from others
	yubiKey
	oldYubiKey // attests, and tells nothing else of its keys
)

func (k kind) String() string {
	return [...]string{"myeid", "nist", "nochuid", "yubikey", "oldyubikey"}[k]
}

func (k kind) piv() bool { return k != myEID }

func (k kind) yubico() bool { return k == yubiKey || k == oldYubiKey }

// card is what is known of a virtual card: its PIN, how many tries are left at
// it, and its keys. All PINs that are typed for a card begin with its digit, so
// that a PIN that strays is known by itself.
type card struct {
	name    string
	kind    kind
	digit   int
	pinRef  byte
	virtual *virtual.Card
	serial  string // as the library tells it
	alike   bool   // there is another card with this serial number
	judge   *judge

	mu     sync.Mutex
	sender *process // has the transaction
	pin    string
	left   int
	most   int
	olds   map[string]bool // PINs that were the card's once
	wrong  map[string]int  // wrong PINs that were typed: how often they were sent
	next   int             // number of the next PIN
	places map[byte]*place // PIV keys by reference
	keys   []crypto.PublicKey
	moves  int // insertions
}

// place is what a key slot of PIV holds.
type place struct {
	pub     crypto.PublicKey // nil: no key
	private any              // the key itself where the test knows it
	local   bool             // generated on the card
	cert    crypto.PublicKey // of the certificate; nil: there is none
	always  bool             // each use needs the PIN
	never   bool             // no use needs it
	steady  bool             // the key has been in this place alone, since the beginning or since it was made
}

// newPIN makes up a PIN for the card. The caller holds mu.
func (c *card) newPIN() string {
	c.next++
	return fmt.Sprintf("%d%05d", c.digit, c.next)
}

// speaks notes whose commands the card is to get.
func (c *card) speaks(p *process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sender = p
}

// PIN commands, of PIV and of MyEID cards.
const (
	insVerify  = 0x20
	insChange  = 0x24
	insUnblock = 0x2C
)

// observe is told of each command that the card has executed, and compares
// what became of PINs with what should have.
func (c *card) observe(command, response []byte) {
	if len(command) < 5+8 || len(response) < 2 || command[3] != c.pinRef {
		return
	}
	block := func(i int) string { return string(bytes.TrimRight(command[5+8*i:5+8*i+8], "\xFF\x00")) }
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.most == 0 { // the card is being made
		return
	}
	sw := apdu.Status(response[len(response)-2])<<8 | apdu.Status(response[len(response)-1])
	switch command[1] {
	case insVerify:
		c.tried(block(0), sw)
	case insChange:
		if command[4] == 8 { // by the security officer
			if sw == apdu.OK {
				c.set(block(0))
			}
		} else if c.tried(block(0), sw) {
			c.set(block(1))
		}
	case insUnblock:
		if sw == apdu.OK {
			c.set(block(1))
		}
	}
}

// set notes a new PIN. The caller holds mu.
func (c *card) set(pin string) {
	c.olds[c.pin] = true
	c.pin, c.left = pin, c.most
}

// tried judges one try at the PIN, which the card answered with sw, and reports
// whether it was right. The caller holds mu.
func (c *card) tried(pin string, sw apdu.Status) bool {
	who := "somebody"
	if c.sender != nil {
		who = c.sender.name
	}
	if pin == "" || pin[0] != '0'+byte(c.digit) {
		c.judge.fail("a PIN went to a card that it was not given for", "%s sent PIN %s to %s", who, pin, c.name)
	}
	if c.left == 0 {
		if sw != apdu.SWBlocked {
			c.judge.fail("the tries differ", "%s answers %v, and is blocked", c.name, sw)
		}
		return false
	}
	if pin == c.pin {
		c.left = c.most
		c.sender.typedNow(pin)
		if sw != apdu.OK {
			c.judge.fail("the tries differ", "%s answers %v to the right PIN", c.name, sw)
		}
		return sw == apdu.OK
	}
	c.left--
	told, known := sw.Tries()
	if !known || told != c.left {
		c.judge.fail("the tries differ", "%s answers %v, and should have %d tries left", c.name, sw, c.left)
	}
	c.blame(pin, who)
	return false
}

// blame finds out whether a try that was lost had to be. The caller holds mu.
func (c *card) blame(pin, who string) {
	times, typed := c.wrong[pin]
	switch {
	case c.sender.typedNow(pin): // somebody typed it, and is to blame
	case typed:
		c.judge.fail("a PIN that was refused was sent again", "%s sent PIN %s to %s again, after %d times", who, pin, c.name, times)
	case c.olds[pin]:
		n := c.sender.cached(pin)
		if n > 1 {
			c.judge.fail("a PIN that was refused was sent again", "%s sent the old PIN %s to %s from its memory %d times", who, pin, c.name, n)
		}
		if c.left == 0 {
			c.judge.fail("the last try was spent from a cache", "%s sent the old PIN %s to %s", who, pin, c.name)
		}
	case len(pin) > 0 && pin[0] == '0'+byte(c.digit):
		c.judge.fail("a PIN that nobody typed was sent", "%s sent PIN %s to %s", who, pin, c.name)
	}
	if typed {
		c.wrong[pin]++
	}
}
