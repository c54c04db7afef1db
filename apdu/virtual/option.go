package virtual

import (
	"crypto/rand"

	"github.com/go-cryptoki/cryptoki/apdu/virtual/internal/seal"
)

// DefaultCapacity is what a card's files and keys may take, in bytes, unless
// Capacity says otherwise.
const DefaultCapacity = 144 << 10

// Option changes what New or Open makes.
type Option func(*options)

type options struct {
	persona  *Persona
	piv      *PIVPersona
	image    *PIVImage
	touch    func() bool
	capacity int
	observe  []func(command, response []byte)
	script   Script
	kit      seal.Kit // for a card in a file
}

func gather(opts []Option) options {
	o := options{capacity: DefaultCapacity, kit: seal.Kit{Cost: seal.Standard()}}
	for _, opt := range opts {
		opt(&o)
	}
	if o.persona == nil && o.piv == nil {
		p := MyEID500()
		o.persona = &p
	}
	if o.persona != nil && o.persona.Serial == [10]byte{} {
		rand.Read(o.persona.Serial[:])
	}
	return o
}

// As gives the card the operating system of a MyEID-compatible card, as a
// persona; MyEID500 is the default on a card without other applications. A
// card that is opened from a file keeps the persona that it was made with.
func As(p Persona) Option { return func(o *options) { o.persona = &p } }

// WithPIV gives the card a PIV application. Alone it is the only one; with As
// the card has both, the ATR is that of As, and SELECT by name goes from one
// to the other. A card that is opened from a file keeps what it was made with.
func WithPIV(p PIVPersona) Option { return func(o *options) { o.piv = &p } }

// WithPIVImage puts the content of an image on a card that is made; WithPIV
// says what its application is like, NISTPIV by default.
func WithPIVImage(i PIVImage) Option {
	return func(o *options) {
		o.image = &i
		if o.piv == nil {
			p := NISTPIV()
			o.piv = &p
		}
	}
}

// Touch asks f whether a person touches the card, where a key of the PIV
// application needs it. Without it the card is always touched. f must not use
// the card.
func Touch(f func() bool) Option { return func(o *options) { o.touch = f } }

// Capacity limits what the card's files and keys may take, in bytes. What
// does not fit is refused with 6A84. A card that is opened from a file keeps
// the capacity that it was made with.
func Capacity(bytes int) Option { return func(o *options) { o.capacity = bytes } }

// Observe calls f after each command that the card has answered, in the order
// of execution and before the answer is handed out. Commands may hold PINs
// and keys. Neither slice may be changed, nor kept after f returns. f must
// not use the card.
func Observe(f func(command, response []byte)) Option {
	return func(o *options) { o.observe = append(o.observe, f) }
}

// Faults asks s before each command what is to go wrong. Rules makes a Script
// of what is to happen when; Card.SetFaults gives the card another one later.
func Faults(s Script) Option { return func(o *options) { o.script = s } }
