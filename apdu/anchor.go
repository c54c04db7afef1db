package apdu

import "sync"

// Anchor holds what all users of one Provider in a process share. It is
// embedded in a Provider, which must then not be copied.
type Anchor struct {
	mu     sync.Mutex
	values map[any]any
}

// Shared returns the anchor itself, which makes a type that embeds it satisfy
// that part of Provider.
func (a *Anchor) Shared() *Anchor { return a }

// Value returns what is kept under key; at first it calls create, once. Others
// wait meanwhile, so that create must not use the Anchor.
func (a *Anchor) Value(key any, create func() any) any {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.values[key]
	if !ok {
		if a.values == nil {
			a.values = make(map[any]any)
		}
		v = create()
		a.values[key] = v
	}
	return v
}
