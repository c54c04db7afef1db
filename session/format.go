package session

import (
	"fmt"
	"io"
)

// Sessions and operations hold keys, PINs and data. They print what they are
// and no more, whatever the verb.

// Format writes "session" and its state.
func (s *Session) Format(f fmt.State, _ rune) {
	if s == nil {
		io.WriteString(f, "no session")
		return
	}
	state, open := s.handle.State()
	if !open {
		io.WriteString(f, "session (closed)")
		return
	}
	fmt.Fprintf(f, "session (%v)", state)
}

// Format writes "signature operation".
func (o *SignOp) Format(f fmt.State, _ rune) { io.WriteString(f, "signature operation") }

// Format writes "verification operation".
func (o *VerifyOp) Format(f fmt.State, _ rune) { io.WriteString(f, "verification operation") }

// Format writes "decryption operation".
func (o *DecryptOp) Format(f fmt.State, _ rune) { io.WriteString(f, "decryption operation") }

// Format writes "encryption operation".
func (o *EncryptOp) Format(f fmt.State, _ rune) { io.WriteString(f, "encryption operation") }

// Format writes "digest operation".
func (o *DigestOp) Format(f fmt.State, _ rune) { io.WriteString(f, "digest operation") }

// Format writes "key operation".
func (o *KeyOp) Format(f fmt.State, _ rune) { io.WriteString(f, "key operation") }

// Format writes "message operation".
func (p *messages) Format(f fmt.State, _ rune) { io.WriteString(f, "message operation") }
