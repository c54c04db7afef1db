package virtual

import (
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
)

// Fault is what goes wrong with one command. The zero value is no fault.
type Fault struct {
	Kind FaultKind
	// Answer is the response, with status word, of Refuse and Override.
	Answer []byte
	// Edit makes of the card's answer, with status word, the one that comes:
	// Rewrite. It may change the slice that it is given.
	Edit func(answer []byte) []byte
	// Err is what Fail returns.
	Err error
	// Wait is how long Hang and Stall take, by the clock of package time and
	// so also by that of testing/synctest.
	Wait time.Duration
	// Writes is the number of writes to lasting memory that Tear lets happen.
	Writes int
	// Card is the one that Swap puts into the reader. It must be in no other.
	Card *Card
	// Commands are those that another program sends: Steal.
	Commands [][]byte
}

// FaultKind says what goes wrong.
type FaultKind int

const (
	// Pass lets the command through.
	Pass FaultKind = iota
	// CutBefore takes the card out before it has executed the command:
	// apdu.ErrRemoved.
	CutBefore
	// CutAfter takes the card out after it has executed the command; the
	// answer is lost, and the error wraps apdu.ErrOutcomeUnknown, too.
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
	// LoseAnswer loses the answer, and the card stays: apdu.ErrOutcomeUnknown.
	LoseAnswer
	// Rewrite lets the card execute the command and answers what Fault.Edit
	// makes of its answer.
	Rewrite
	// Fail returns Fault.Err; the card never sees the command.
	Fail
	// ResetUnseen has somebody else reset the card before the command, which
	// is executed; the system tells nobody, as some do.
	ResetUnseen
	// Unplug takes the reader away before the command, with the card in it:
	// apdu.ErrRemoved, and apdu.ErrNoReader from Connect until the reader is
	// added again. Through a Plug it is CutBefore.
	Unplug
	// StopService ends the smart card service before the command, as
	// Provider.StopService does: apdu.ErrRemoved. Through a Plug it is
	// CutBefore.
	StopService
	// Occupy finds the card held by another program for itself alone:
	// apdu.ErrInUse, not executed. Provider.Hold does it for longer.
	Occupy
	// Hang does not answer for Fault.Wait, for ever if that is 0, and then
	// has the command executed. It ends earlier, without an execution, with
	// the context of the call, whose error comes with apdu.ErrOutcomeUnknown, or with
	// the removal of the card.
	Hang
	// Stall is Hang for a reader that does not know of contexts, as those of
	// PC/SC are: the call returns when the time is over, whatever became of
	// its caller.
	Stall
	// Tear takes the power away after Fault.Writes writes to lasting memory
	// within the command, and the card out with it: apdu.ErrRemoved with
	// apdu.ErrOutcomeUnknown. What was written stays: of a long UPDATE BINARY the
	// first pages, of a new key its private half, of a VERIFY the try that
	// was taken before the comparison. A command that writes less is executed
	// as a whole and answered; with Writes 0 it is CutBefore.
	Tear
	// Swap takes the card out before the command and puts Fault.Card into the
	// reader: apdu.ErrRemoved. Through a Plug it is CutBefore.
	Swap
	// Steal has another program send Fault.Commands before the command, or,
	// where a transaction is open, as soon as that has ended. The command
	// itself is executed.
	Steal
)

// executes tells whether the card gets to see the command.
func (k FaultKind) executes() bool {
	switch k {
	case Pass, CutAfter, ResetAfter, Override, LoseAnswer, Rewrite, ResetUnseen, Hang, Stall, Tear, Steal:
		return true
	}
	return false
}

// SW is a Fault that refuses a command with a status word.
func SW(sw apdu.Status) Fault {
	return Fault{Kind: Refuse, Answer: []byte{sw.SW1(), sw.SW2()}}
}

// Loop61 is a Fault that answers size bytes, at most 256, and announces 256
// more. In a Rule with Every 1 the answer never ends.
func Loop61(size int) Fault {
	return Fault{Kind: Refuse, Answer: append(make([]byte, size, size+2), 0x61, 0x00)}
}

// Loop6C is a Fault that corrects the expected length to le bytes, whatever it
// was. In a Rule with Every 1 it does so for ever.
func Loop6C(le byte) Fault { return Fault{Kind: Refuse, Answer: []byte{0x6C, le}} }
