package virtual

// Script decides what is to go wrong with a command that is about to be sent
// to the card; n counts the commands that were sent to it, from 1. It is
// called for one command after the other and must not use the card.
type Script func(n int, command []byte) Fault

// Rule has a fault happen to some of the commands that Match picks: to the
// First, and then to every so many-th after it.
type Rule struct {
	Match func(command []byte) bool // nil picks every command
	First int                       // counts from 1, and 0 is 1, too
	Every int                       // 0: the First alone
	Fault Fault
}

// At is a Rule for the n-th command alone.
func At(n int, f Fault) Rule { return Rule{First: n, Fault: f} }

// Every is a Rule for every n-th command.
func Every(n int, f Fault) Rule { return Rule{First: n, Every: n, Fault: f} }

// On is a Rule for the first of the commands that match picks.
func On(match func(command []byte) bool, f Fault) Rule { return Rule{Match: match, Fault: f} }

// Rules makes a Script. Each rule counts its commands for itself, from the
// first one that the Script is asked about; where several have a fault for a
// command, the earliest in the list decides. A Script that counts is for one
// card.
func Rules(rules ...Rule) Script {
	hits := make([]int, len(rules))
	return func(_ int, command []byte) Fault {
		var f Fault
		for i := range rules {
			r := &rules[i]
			if r.Match != nil && !r.Match(command) {
				continue
			}
			hits[i]++
			if f.Kind == Pass && r.hit(hits[i]) {
				f = r.Fault
			}
		}
		return f
	}
}

// hit tells whether the n-th command goes wrong.
func (r *Rule) hit(n int) bool {
	after := n - max(r.First, 1)
	return after == 0 || after > 0 && r.Every > 0 && after%r.Every == 0
}

// INS picks the commands with an instruction byte.
func INS(ins byte) func(command []byte) bool {
	return func(command []byte) bool { return len(command) > 1 && command[1] == ins }
}

// Header picks the commands with an instruction byte and parameters.
func Header(ins, p1, p2 byte) func(command []byte) bool {
	return func(command []byte) bool {
		return len(command) > 3 && command[1] == ins && command[2] == p1 && command[3] == p2
	}
}

// WithData picks the commands with an instruction byte that send
// data: VERIFY without any is a question.
func WithData(ins byte) func(command []byte) bool {
	return func(command []byte) bool { return len(command) > 5 && command[1] == ins }
}
