package virtual

// Fault is what goes wrong with one command. The zero value is no fault.
type Fault struct {
	Kind FaultKind
	// Answer is the response, with status word, of Refuse and Override.
	Answer []byte
}

// FaultKind says what goes wrong.
type FaultKind int

const (
	// Pass lets the command through.
	Pass FaultKind = iota
	// CutBefore takes the card out before it has executed the command.
	CutBefore
	// CutAfter takes the card out after it has executed the command; the
	// answer is lost, and the error wraps apdu.ErrUnsure, too.
	CutAfter
	// ResetBefore has somebody else reset the card before the command, which
	// then fails with apdu.ErrReset.
	ResetBefore
	// ResetAfter has somebody else reset the card after the command was
	// answered.
	ResetAfter
	// Refuse answers Fault.Answer; the card never sees the command.
	Refuse
	// Override lets the card execute the command and answers Fault.Answer.
	Override
	// FailLink loses the command: apdu.ErrLink, not executed.
	FailLink
	// LoseAnswer loses the answer, and the card stays: apdu.ErrUnsure.
	LoseAnswer
)

// executes tells whether the card gets to see the command.
func (k FaultKind) executes() bool {
	switch k {
	case CutBefore, ResetBefore, Refuse, FailLink:
		return false
	}
	return true
}
