package engine

import (
	"fmt"
	"io"
)

// The types that hold secrets, or lead to them, print what they are and no
// more, whatever the verb: fmt would walk through them, past their locks.

// Format writes "card".
func (c *Card) Format(f fmt.State, _ rune) { io.WriteString(f, "card") }

// Format writes "token".
func (t *Token) Format(f fmt.State, _ rune) { io.WriteString(f, "token") }

// Format writes "session" and the state of the session.
func (s *Session) Format(f fmt.State, _ rune) {
	if s == nil {
		io.WriteString(f, "no session")
		return
	}
	state, open := s.State()
	if !open {
		io.WriteString(f, "session (closed)")
		return
	}
	fmt.Fprintf(f, "session (%v)", state)
}

// Format writes "grant".
func (g Grant) Format(f fmt.State, _ rune) { io.WriteString(f, "grant") }
