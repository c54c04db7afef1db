package apdu

import "errors"

// Errors of the link to a card. Transports, providers and Conn return them,
// wrapped with what was being done; test with errors.Is.
var (
	// ErrRemoved says that the card is gone, or was taken out and put back.
	// A Transport that returned it is dead.
	ErrRemoved = errors.New("card removed")
	// ErrReset says that the card was reset by someone else: selections and
	// verified PINs are gone. The next call on the Transport works again.
	ErrReset = errors.New("card was reset by another program")
	// ErrNoCard says that the reader holds no card.
	ErrNoCard = errors.New("no card in the reader")
	// ErrNoReader says that there is no reader of that name.
	ErrNoReader = errors.New("no such reader")
	// ErrNoService says that the smart card service does not run.
	ErrNoService = errors.New("smart card service not available")
	// ErrInUse says that another program holds the card for itself alone.
	ErrInUse = errors.New("card in use by another program")
	// ErrLink says that the exchange failed below the card: the command was
	// not understood, or the answer is no answer.
	ErrLink = errors.New("communication with the card failed")
	// ErrOutcomeUnknown says that a command was sent and its answer was lost: the
	// card may have executed it.
	ErrOutcomeUnknown = errors.New("answer lost: the command may have been executed")
)

// Errors of Conn itself.
var (
	// ErrClosed says that Close was called on the Conn, or that a Tx was used
	// after its unit had ended.
	ErrClosed = errors.New("connection closed")
	// ErrTooLong says that the command, or what it asks for, is longer than
	// card and reader can carry. Nothing of it was executed.
	ErrTooLong = errors.New("command too long for the card or its reader")
	// ErrShort says that a chain of answers ended with fewer bytes than the
	// card had announced. Do returns it together with the bytes that came:
	// only a caller that can tell from the bytes themselves that nothing is
	// missing may use them. It goes with ErrLink.
	ErrShort = errors.New("answer shorter than announced")
)

// CommandError is what went wrong with one command: Err is a [Status] that the
// card answered, or an error of the link.
type CommandError struct {
	Command string // its name in the standard
	Err     error
}

// Error reads "READ BINARY: file not found (6A82)".
func (e *CommandError) Error() string { return e.Command + ": " + e.Err.Error() }

// Unwrap returns the Status or the error of the link.
func (e *CommandError) Unwrap() error { return e.Err }
