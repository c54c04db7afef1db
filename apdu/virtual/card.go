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
	fault   func(n int, command []byte) Fault
	watched bool // by functions of a test, which may take their time

	mu       sync.Mutex
	holder   *link // who may send commands now
	busy     bool  // the holder's command is being executed
	waiting  []*waiter
	cold     bool   // power was lost since the last command
	resets   uint64 // grows with every reset and removal
	sent     uint64 // commands that were sent to the card
	answered uint64
	reader   *slot  // where the card is
	stay     uint64 // grows with every insertion and removal
	closed   bool
}

// New returns a card in memory. Without options it is a blank MyEID-compatible
// one: a master file and an empty PKCS #15 application, no PINs, everything
// allowed until ACTIVATE APPLET. It panics if WithPIVImage was given an image
// that does not fit: that is a mistake in the program.
func New(opts ...Option) *Card {
	o := gather(opts)
	s, err := o.make(nil, nil)
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
		fault:   o.fault,
		watched: o.fault != nil || len(o.observe) > 0 || o.touch != nil,
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
	c.closed = true
	c.dismiss()
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
	c.losePower()
	c.dismiss()
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
