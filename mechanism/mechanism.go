package mechanism

// Mechanism is a mechanism with its parameters: one of the types of this
// package, [Raw], or a type of a token's maker. Values are immutable: fields
// that are slices are shared and must not be written to while in use.
//
// What a type of this package knows of itself it has as optional methods, which
// [Check], [Prehash], [Keys], [DisclosureOf] and [ForMessage] look for: what is
// wrong with its parameters, which hash functions it needs, and so on. A type
// that embeds one of them takes its behaviour over.
type Mechanism interface {
	// Type is the mechanism's type. It is [Unavailable] if the fields name
	// no mechanism of the standard, which [Check] refuses.
	Type() Type
}

// KeyRef is a parameter that names another key, as the second key of a
// derivation. Objects of package object are KeyRefs.
type KeyRef interface{ IsKeyRef() }

// Raw is a mechanism given by number, with its parameter as bytes: an
// initialisation vector, or whatever a maker's mechanism takes. Of the
// standard's mechanisms, those whose parameter is nothing or a plain byte
// string may be written so; [Resolve] turns them into their own types.
type Raw struct {
	T     Type
	Param []byte
}

// Type returns m.T.
func (m Raw) Type() Type { return m.T }

// Keys returns the keys that a mechanism names as parameters, in order.
func Keys(m Mechanism) []KeyRef {
	if m, ok := Resolve(m).(interface{ keys() []KeyRef }); ok {
		return m.keys()
	}
	return nil
}
