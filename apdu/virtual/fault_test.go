package virtual_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

// TestFaults breaks the second command, a VERIFY with a wrong PIN, and looks
// whether the card has seen it.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name     string
		fault    virtual.Fault
		want     []error // of the command
		answer   string
		next     error // of the one after
		executed bool
		removed  bool
		repair   func(p *virtual.Provider) // what else is to be put right
	}{
		{name: "none", fault: virtual.Fault{}, answer: "63C2", executed: true},
		{name: "cut before", fault: virtual.Fault{Kind: virtual.CutBefore}, want: []error{apdu.ErrRemoved}, next: apdu.ErrRemoved, removed: true},
		{name: "cut after", fault: virtual.Fault{Kind: virtual.CutAfter}, want: []error{apdu.ErrRemoved, apdu.ErrOutcomeUnknown}, next: apdu.ErrRemoved, removed: true, executed: true},
		{name: "reset before", fault: virtual.Fault{Kind: virtual.ResetBefore}, want: []error{apdu.ErrReset}},
		{name: "reset after", fault: virtual.Fault{Kind: virtual.ResetAfter}, answer: "63C2", next: apdu.ErrReset, executed: true},
		{name: "refuse", fault: virtual.Fault{Kind: virtual.Refuse, Answer: []byte{0x69, 0x82}}, answer: "6982"},
		{name: "override", fault: virtual.Fault{Kind: virtual.Override, Answer: []byte{0x90, 0x00}}, answer: "9000", executed: true},
		{name: "fail link", fault: virtual.Fault{Kind: virtual.FailLink}, want: []error{apdu.ErrLink}},
		{name: "lose answer", fault: virtual.Fault{Kind: virtual.LoseAnswer}, want: []error{apdu.ErrOutcomeUnknown}, executed: true},
		{name: "rewrite", fault: virtual.Fault{Kind: virtual.Rewrite, Edit: func(a []byte) []byte { return append([]byte{1, 2}, a...) }}, answer: "010263C2", executed: true},
		{name: "rewrite by nobody", fault: virtual.Fault{Kind: virtual.Rewrite}, answer: "63C2", executed: true},
		{name: "status word", fault: virtual.SW(0x6581), answer: "6581"},
		{name: "more for ever", fault: virtual.Loop61(3), answer: "0000006100"},
		{name: "another length for ever", fault: virtual.Loop6C(7), answer: "6C07"},
		{name: "fail", fault: virtual.Fault{Kind: virtual.Fail, Err: context.Canceled}, want: []error{context.Canceled}},
		{name: "reset unseen", fault: virtual.Fault{Kind: virtual.ResetUnseen}, answer: "63C2", executed: true},
		{name: "occupied", fault: virtual.Fault{Kind: virtual.Occupy}, want: []error{apdu.ErrInUse}},
		{
			name: "unplugged", fault: virtual.Fault{Kind: virtual.Unplug}, want: []error{apdu.ErrRemoved}, next: apdu.ErrRemoved, removed: true,
			repair: func(p *virtual.Provider) { p.AddReader(reader) },
		},
		{
			name: "service stopped", fault: virtual.Fault{Kind: virtual.StopService}, want: []error{apdu.ErrRemoved}, next: apdu.ErrRemoved,
			repair: func(p *virtual.Provider) { p.StartService() },
		},
		{name: "torn at once", fault: virtual.Fault{Kind: virtual.Tear}, want: []error{apdu.ErrRemoved}, next: apdu.ErrRemoved, removed: true},
		{name: "torn", fault: virtual.Fault{Kind: virtual.Tear, Writes: 1}, want: []error{apdu.ErrRemoved, apdu.ErrOutcomeUnknown}, next: apdu.ErrRemoved, removed: true, executed: true},
		{name: "torn after the last write", fault: virtual.Fault{Kind: virtual.Tear, Writes: 2}, answer: "63C2", executed: true},
		{
			name: "swapped", fault: virtual.Fault{Kind: virtual.Swap, Card: virtual.New()}, want: []error{apdu.ErrRemoved}, next: apdu.ErrRemoved, removed: true,
			repair: func(p *virtual.Provider) { p.Remove(reader) },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			armed := false
			card := virtual.New(virtual.Faults(func(n int, command []byte) virtual.Fault {
				if armed && len(command) == 13 {
					armed = false
					return tt.fault
				}
				return virtual.Fault{}
			}))
			p := virtual.Single(card)
			c := connect(t, p)
			initialise(t, c)
			begun := begin(t, c)
			armed = true
			answer, err := c.Transmit(t.Context(), unhex(t, "00200001083939393939393939"))
			for _, want := range tt.want {
				if !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			}
			if got := string(answer); got != string(unhex(t, tt.answer)) || (err != nil) != (len(tt.want) > 0) {
				t.Errorf("answer %X, error %v", answer, err)
			}
			if _, err := c.Transmit(t.Context(), pinStatus); !errors.Is(err, tt.next) {
				t.Errorf("next command: %v, want %v", err, tt.next)
			}
			begun.End()
			if tt.repair != nil {
				tt.repair(p)
			}
			if tt.removed {
				if err := p.Insert(reader, card); err != nil {
					t.Errorf("the card is not out: %v", err)
				}
			}
			want := "63C3"
			if tt.executed {
				want = "63C2"
			}
			if got := send(t, connect(t, p), "00200001"); got != want {
				t.Errorf("PIN state %s, want %s", got, want)
			}
		})
	}
}

func TestObserversSeeWhatTheCardAnswered(t *testing.T) {
	type pair struct{ Command, Response string }
	var got []pair
	card := virtual.New(
		virtual.Observe(func(c, r []byte) { got = append(got, pair{string(c), string(r)}) }),
		virtual.Faults(func(n int, _ []byte) virtual.Fault {
			if n == 2 {
				return virtual.Fault{Kind: virtual.FailLink}
			}
			return virtual.Fault{}
		}),
	)
	c := connect(t, virtual.Single(card))
	send(t, c, "00200001")
	fails(t, c, apdu.ErrLink)
	send(t, c, "00200F01")
	want := []pair{{"\x00\x20\x00\x01", "\x90\x00"}, {"\x00\x20\x0F\x01", "\x6A\x86"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := card.Exchanges(); n != 2 {
		t.Errorf("%d exchanges", n)
	}
}
