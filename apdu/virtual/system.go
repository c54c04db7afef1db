package virtual

import (
	"crypto/fips140"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/manager"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/myeid"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/piv"
	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/record"
)

// applet is one application on a card, with its commands and its state.
type applet interface {
	// Process executes one command APDU. The answer is nil if the power failed
	// meanwhile.
	Process(command []byte) []byte
	// Reset does what a loss of power does, or the selection of another
	// application.
	Reset()
	// Selects tells whether a name in SELECT is the application's.
	Selects(name []byte) bool
	// FailAfter has the power fail after so many writes of the next command,
	// to which Process then returns nil.
	FailAfter(writes int)
}

// system is what runs on a card: applications, of which one is selected. The
// first one is so after a reset.
type system struct {
	applets []applet
	current int
	writes  int         // after which the power fails during the next command; 0: it does not
	myeid   *myeid.Card // nil if there is none
	piv     *piv.Card   // nil if there is none
}

// newSystem returns a system of those applications that are not nil. With a
// YubiKey's comes the one that tells what the device is.
func newSystem(m *myeid.Card, p *piv.Card) *system {
	s := &system{myeid: m, piv: p}
	if m != nil {
		s.applets = append(s.applets, m)
	}
	if p != nil {
		s.applets = append(s.applets, p)
		if id := p.Persona(); id.Yubico {
			s.applets = append(s.applets, manager.New(id.Version, id.Serial))
		}
	}
	return s
}

// make makes the applications of a new card, in memory if there is no Store.
func (o *options) make(k record.Store) (*system, error) {
	var files *myeid.Card
	var app *piv.Card
	var err error
	if o.persona != nil {
		if k == nil {
			files = myeid.New(o.persona.system(o.capacity))
		} else if files, err = myeid.Create(o.persona.system(o.capacity), k, o.kit); err != nil {
			return nil, err
		}
	}
	if o.piv != nil {
		fill := func(c *piv.Card) error {
			if o.image == nil {
				return nil
			}
			return c.Fill(o.image.Objects, o.image.Keys)
		}
		if k == nil {
			app = piv.New(o.piv.persona(o.capacity))
			err = fill(app)
		} else {
			app, err = piv.Create(o.piv.persona(o.capacity), k, o.kit, fill)
		}
		if err != nil {
			return nil, err
		}
		app.SetTouch(o.touch)
	}
	return newSystem(files, app), nil
}

// load reads the applications that a Store holds.
func (o *options) load(k record.Store) (*system, error) {
	records, err := k.Records()
	if err != nil {
		return nil, err
	}
	_, isPIV := records[piv.HeadRecord]
	_, hasFiles := records[myeid.HeadRecord]
	for _, v := range records {
		clear(v)
	}
	var files *myeid.Card
	var app *piv.Card
	if hasFiles || !isPIV {
		if files, err = myeid.Load(k, o.kit); err != nil {
			return nil, err
		}
	}
	if isPIV {
		if app, err = piv.Load(k, o.kit); err != nil {
			return nil, err
		}
		app.SetTouch(o.touch)
	}
	return newSystem(files, app), nil
}

// rewrite has the applications keep everything anew.
func (s *system) rewrite() error {
	if s.myeid != nil {
		if err := s.myeid.Rewrite(); err != nil {
			return err
		}
	}
	if s.piv != nil {
		return s.piv.Rewrite()
	}
	return nil
}

// atr is the answer to reset, that of the first application.
func (s *system) atr() []byte {
	if s.myeid != nil {
		return s.myeid.Persona().ATR
	}
	return s.piv.Persona().ATR
}

func (s *system) extended() bool { return s.piv != nil && s.piv.Extended() }

// FailAfter has the power fail after so many writes of the next command.
func (s *system) FailAfter(writes int) { s.writes = writes }

// Reset is the loss of power.
func (s *system) Reset() {
	for _, a := range s.applets {
		a.Reset()
	}
	s.current = 0
}

// Process gives a command to the selected application, after a SELECT by the
// name of another one has changed which that is. An application that is left
// forgets what was verified. A name that nobody has changes nothing (ISO
// 7816-4 §11.2.2).
func (s *system) Process(command []byte) (answer []byte) {
	writes := s.writes
	s.writes = 0
	if name, ok := selection(command); ok && len(s.applets) > 1 {
		next := s.find(name)
		if next < 0 {
			return []byte{0x6A, 0x82}
		}
		if next != s.current {
			s.applets[s.current].Reset()
			s.current = next
		}
	}
	s.applets[s.current].FailAfter(writes)
	if !fips140.Enforced() {
		return s.applets[s.current].Process(command)
	}
	// A card is a module of its own: what the program may use is no matter to it.
	fips140.WithoutEnforcement(func() { answer = s.applets[s.current].Process(command) })
	return answer
}

func (s *system) find(name []byte) int {
	for i, a := range s.applets {
		if a.Selects(name) {
			return i
		}
	}
	return -1
}

// selection returns the name that a SELECT by name holds.
func selection(command []byte) ([]byte, bool) {
	if len(command) < 5 || command[0] != 0x00 || command[1] != 0xA4 || command[2] != 0x04 {
		return nil, false
	}
	c, err := apdu.ParseCommand(command)
	return c.Data, err == nil && len(c.Data) > 0
}
