package token

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-cryptoki/cryptoki/ckr"
)

// PIN is a personal identification number, held so that it is not printed by
// accident: every fmt verb, log handler and encoder shows a placeholder. The
// zero value is no PIN and is refused wherever one is needed.
type PIN struct{ secret *secret }

// secret keeps the bytes behind a second pointer: in fields that fmt may not
// ask to format themselves it follows one, for some verbs.
type secret struct {
	bytes      *[]byte
	pad        bool
	remembered bool
}

// NewPIN returns a PIN with a copy of b. The caller keeps b, and clears it.
func NewPIN(b []byte) PIN {
	own := append([]byte(nil), b...)
	return PIN{&secret{bytes: &own}}
}

// Pad returns the PIN that is entered on the reader's own keys (PKCS #11
// v3.2 §5.6.8: a null PIN with CKF_PROTECTED_AUTHENTICATION_PATH).
func Pad() PIN { return PIN{&secret{bytes: new([]byte), pad: true}} }

// IsZero reports whether p is the zero value: no PIN at all.
func (p PIN) IsZero() bool { return p.secret == nil }

// IsPad reports whether the PIN is to be entered on the reader.
func (p PIN) IsPad() bool { return p.secret != nil && p.secret.pad }

// Reveal returns the bytes of the PIN for a Backend to send. They are shared:
// they are neither kept nor changed.
func (p PIN) Reveal() []byte {
	if p.secret == nil {
		return nil
	}
	return *p.secret.bytes
}

// Remembered returns a copy of the PIN, which the caller clears, that is marked
// as one that nobody has typed for this use. It is not sent to the card if that
// might be the last try: see [ErrLastTry].
func (p PIN) Remembered() PIN {
	c := p.Clone()
	if c.secret != nil {
		c.secret.remembered = true
	}
	return c
}

// IsRemembered reports whether the PIN is one that [PIN.Remembered] returned.
func (p PIN) IsRemembered() bool { return p.secret != nil && p.secret.remembered }

// ErrLastTry is returned, with ckr.PINIncorrect and the tries that are left, when
// a PIN that nobody has typed for this use (see [PIN.Remembered]) was not sent,
// because the card has one try left for it or does not tell how many.
var ErrLastTry = errors.New("the remembered PIN is not sent, as this might be the last try")

// Len is the length of the PIN in bytes.
func (p PIN) Len() int { return len(p.Reveal()) }

// Clear overwrites the PIN. All copies of p lose it.
func (p PIN) Clear() {
	if p.secret != nil {
		clear(*p.secret.bytes)
		*p.secret.bytes = nil
	}
}

// Clone returns a PIN with bytes of its own, which the caller clears. A PIN that
// is entered on the reader has none: its clone is the zero PIN.
func (p PIN) Clone() PIN {
	if p.secret == nil || p.secret.pad {
		return PIN{}
	}
	return NewPIN(*p.secret.bytes)
}

// String returns a placeholder.
func (p PIN) String() string { return "PIN(redacted)" }

// GoString returns a placeholder.
func (p PIN) GoString() string { return p.String() }

// Format writes a placeholder for every verb.
func (p PIN) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }

// MarshalText returns a placeholder, so that encoders do not reach the bytes.
func (p PIN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalJSON returns a placeholder.
func (p PIN) MarshalJSON() ([]byte, error) { return []byte(`"` + p.String() + `"`), nil }

// PINReason says why a PIN is asked for.
type PINReason int

// The reasons for asking.
const (
	ReasonLogin   PINReason = iota // the user logs in
	ReasonConsent                  // one use of a key with CKA_ALWAYS_AUTHENTICATE
	ReasonWrite                    // the card's own write secret, such as a management key
)

// PINRequest tells a person what the PIN is for, and for which card: two tokens
// may describe themselves alike, but not be in one reader.
type PINRequest struct {
	Reason PINReason
	Role   Role
	Token  Info   // the token that asks
	Reader string // the name of the reader that the card is in, if it is in one
	Slot   uint64 // the slot's id
	// Insertion is a number that the card has from when it was put in until it
	// is taken out, and no other card has. A program that remembers a PIN gives
	// it for the same insertion only.
	Insertion uint64
	Key       string // label of the key, for ReasonConsent
	Tries     ckr.Tries

	// CacheRefused tells that a remembered PIN was refused, for this use or for
	// another one in the process, or was not sent because it might have been the
	// last try; Tries are those left since.
	CacheRefused bool
}

// PINFunc asks a person for a PIN. It may look at what is public on the token,
// but not use a key for which it would be asked itself: callers who need the
// same PIN wait for one answer. It is called with no lock and no transaction
// held. The library clears the PIN that it returns.
type PINFunc func(ctx context.Context, r PINRequest) (PIN, error)
