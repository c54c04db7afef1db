package faults_test

import (
	"time"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// suffers has the card go wrong by rules, which count from now on.
func (r *rig) suffers(rules ...virtual.Rule) { r.card.SetFaults(virtual.Rules(rules...)) }

// heal ends all that goes wrong.
func (r *rig) heal() {
	r.card.SetFaults(nil)
	r.wire.set(func(w *wire) { w.begin = nil })
}

// answers has f rewrite each answer of the card.
func (r *rig) answers(f func(command, answer []byte) []byte) {
	r.card.SetFaults(func(_ int, command []byte) virtual.Fault {
		return virtual.Fault{Kind: virtual.Rewrite, Edit: func(answer []byte) []byte { return f(command, answer) }}
	})
}

// slow has each command take a time, whatever becomes of its caller.
func (r *rig) slow(d time.Duration) {
	r.suffers(virtual.Every(1, virtual.Fault{Kind: virtual.Stall, Wait: d}))
}

// loses has the answer to the first command with an instruction byte, and
// data, get lost, or the command itself.
func (r *rig) loses(ins byte, executed bool) {
	f := virtual.Fault{Kind: virtual.LoseAnswer}
	if !executed {
		f = virtual.Fault{Kind: virtual.Fail, Err: apdu.ErrOutcomeUnknown}
	}
	r.suffers(virtual.On(virtual.WithData(ins), f))
}

// refuses has all commands with an instruction byte refused.
func (r *rig) refuses(ins byte, sw apdu.Status) {
	r.suffers(virtual.Rule{Match: virtual.INS(ins), Every: 1, Fault: virtual.SW(sw)})
}
