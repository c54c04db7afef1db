package virtual

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/store"
)

// Card is a smart card. It is used through a reader of a Provider, or through
// Plug, by any number of goroutines.
type Card struct {
	atr     []byte
	system  *system     // used by the holder of the card alone
	file    *store.File // nil: the card lives in memory
	observe []func(command, response []byte)
	watched bool // by functions of a test, which may take their time

	mu       sync.Mutex
	script   Script
	holder   *link // who may send commands now
	busy     bool  // the holder's command is being executed
	waiting  []*waiter
	cold     bool   // power was lost since the last command
	resets   uint64 // grows with every reset and removal
	sent     uint64 // commands that were sent to the card
	answered uint64
	reader   *slot         // where the card is
	stay     uint64        // grows with every insertion and removal
	out      chan struct{} // closed when the stay in the reader ends
	held     int           // by others, for themselves alone
	thefts   [][]byte      // commands of others for when the transaction ends
	ended    chan struct{} // closed by Close
	closed   bool
}

// New returns a card in memory. Without options it is a blank MyEID-compatible
// one: a master file and an empty PKCS #15 application, no PINs, everything
// allowed until ACTIVATE APPLET. It panics if WithPIVImage was given an image
// that does not fit: that is a mistake in the program.
func New(opts ...Option) *Card {
	o := gather(opts)
	s, err := o.make(nil)
	if err != nil {
		panic("virtual: " + err.Error())
	}
	return o.card(s, nil)
}

func (o *options) card(s *system, file *store.File) *Card {
	return &Card{
		atr:     slices.Clone(s.atr()),
		system:  s,
		file:    file,
		observe: o.observe,
		watched: len(o.observe) > 0 || o.touch != nil,
		script:  o.script,
		ended:   make(chan struct{}),
	}
}

// ATR returns the answer to reset.
func (c *Card) ATR() []byte { return slices.Clone(c.atr) }

// Exchanges returns how many commands the card has answered.
func (c *Card) Exchanges() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.answered)
}

// Close makes the card useless, as if it were taken out for good, and gives
// its file up. A command that is being executed is finished. Close of a card
// in memory is not needed. A second Close does nothing.
func (c *Card) Close() error {
	c.mu.Lock()
	already := c.closed
	if !already {
		c.closed = true
		close(c.ended)
		c.endStay()
		c.dismiss()
	}
	c.mu.Unlock()
	if already || c.file == nil {
		return nil
	}
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("virtual: close card: %w", err)
	}
	return nil
}

var errElsewhere = errors.New("the card is in another reader")

// enter puts the card into a reader and powers it.
func (c *Card) enter(s *slot) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader != nil {
		return errElsewhere
	}
	c.reader = s
	c.stay++
	c.out = make(chan struct{})
	c.losePower()
	return nil
}

// leave takes the card out: the reader's connections to it are dead.
func (c *Card) leave(s *slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reader != s {
		return
	}
	c.reader = nil
	c.stay++
	c.held = 0
	c.endStay()
	c.losePower()
	c.dismiss()
}

// endStay ends what waits for the card to go. The caller holds c.mu.
func (c *Card) endStay() {
	if c.out != nil {
		close(c.out)
		c.out = nil
	}
}

// SetFaults replaces what Faults has given the card, from the next command on;
// nil lets everything pass.
func (c *Card) SetFaults(s Script) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.script = s
}

// prompt tells whether no function of a test can hold the card up.
func (c *Card) prompt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.watched && c.script == nil
}

// chill has the card forget with the next command what it does without power,
// and tells nobody.
func (c *Card) chill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cold = true
}

// reset clears what a card forgets without power. Every link but the one that
// asked for it will be told.
func (c *Card) reset(by *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.losePower()
	if by != nil {
		by.resets = c.resets
	}
}

// losePower takes effect before the next command: the one that is being
// executed is finished first. The caller holds c.mu.
func (c *Card) losePower() {
	c.resets++
	c.cold = true
}
