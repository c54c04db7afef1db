package apdu

import "sync"

// SharedState holds what all users of one Provider in a process share. It is
// embedded in a Provider, which must then not be copied.
type SharedState struct {
	mu     sync.Mutex
	values map[any]any
}

// Shared returns the state itself, which makes a type that embeds it satisfy
// that part of Provider.
func (s *SharedState) Shared() *SharedState { return s }

// Value returns what is kept under key; at first it calls create, once. Others
// wait meanwhile, so that create must not use the SharedState.
func (s *SharedState) Value(key any, create func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok {
		if s.values == nil {
			s.values = make(map[any]any)
		}
		v = create()
		s.values[key] = v
	}
	return v
}
