package virtual

import "crypto/rand"

// DefaultCapacity is what a card's files and keys may take, in bytes, unless
// Capacity says otherwise.
const DefaultCapacity = 144 << 10

// Option changes what New or Open makes.
type Option func(*options)

type options struct {
	persona  Persona
	capacity int
	observe  []func(command, response []byte)
	fault    func(n int, command []byte) Fault
}

func gather(opts []Option) options {
	o := options{persona: MyEID500(), capacity: DefaultCapacity}
	for _, opt := range opts {
		opt(&o)
	}
	if o.persona.Serial == [10]byte{} {
		rand.Read(o.persona.Serial[:])
	}
	return o
}

// As gives the card a persona; MyEID500 is the default. A card that is opened
// from a file keeps the persona that it was made with.
func As(p Persona) Option { return func(o *options) { o.persona = p } }

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

// Faults asks f before each command what is to go wrong; n counts the
// commands sent to the card, from 1. f must not use the card.
func Faults(f func(n int, command []byte) Fault) Option {
	return func(o *options) { o.fault = f }
}
