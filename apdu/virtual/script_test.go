package virtual_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func TestRulesCountWhatTheyMatch(t *testing.T) {
	refuse, lose := virtual.SW(0x6F00), virtual.Fault{Kind: virtual.LoseAnswer}
	commands := [][]byte{selectMF, applet, pinStatus, applet, append(pinStatus, 1, 0x31), pinStatus, selectMF, applet}
	for _, tt := range []struct {
		name  string
		rules []virtual.Rule
		want  []int // the commands that go wrong, from 1
	}{
		{"none", nil, nil},
		{"third", []virtual.Rule{virtual.At(3, refuse)}, []int{3}},
		{"zero is the first", []virtual.Rule{virtual.At(0, refuse)}, []int{1}},
		{"every third", []virtual.Rule{virtual.Every(3, refuse)}, []int{3, 6}},
		{"from the sixth on", []virtual.Rule{{First: 6, Every: 1, Fault: refuse}}, []int{6, 7, 8}},
		{"first VERIFY", []virtual.Rule{virtual.On(virtual.INS(0x20), refuse)}, []int{3}},
		{"first VERIFY with a PIN", []virtual.Rule{virtual.On(virtual.WithData(0x20), refuse)}, []int{5}},
		{"second GET DATA", []virtual.Rule{{Match: virtual.INS(0xCA), First: 2, Fault: refuse}}, []int{4}},
		{"every other GET DATA of the applet", []virtual.Rule{{Match: virtual.Header(0xCA, 0x01, 0xA0), Every: 2, Fault: refuse}}, []int{2, 8}},
		{"another GET DATA", []virtual.Rule{virtual.On(virtual.Header(0xCA, 0x01, 0xA1), refuse)}, nil},
		{"two rules", []virtual.Rule{virtual.At(2, refuse), virtual.Every(4, lose)}, []int{2, 4, 8}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := virtual.Rules(tt.rules...)
			var got []int
			for i, command := range commands {
				if f := script(100+i, command); f.Kind != virtual.Pass {
					got = append(got, i+1)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEarlierRulesDecideAndLaterOnesCountAllTheSame(t *testing.T) {
	script := virtual.Rules(virtual.At(1, virtual.SW(0x6F00)), virtual.Every(1, virtual.SW(0x6581)))
	got := fmt.Sprintf("%X %X", script(1, selectMF).Answer, script(2, selectMF).Answer)
	if got != "6F00 6581" {
		t.Error(got)
	}
}

func TestFaultsCanBeChanged(t *testing.T) {
	card := virtual.New(virtual.Faults(virtual.Rules(virtual.Every(1, virtual.SW(0x6F00)))))
	c := connect(t, virtual.Single(card))
	if got := send(t, c, "00200001"); got != "6F00" {
		t.Errorf("first %s", got)
	}
	card.SetFaults(nil)
	if got := send(t, c, "00200001"); got != "9000" {
		t.Errorf("then %s", got)
	}
	// As a tester would have it: once for each exchange of a task.
	task := func() (answers []string) {
		return []string{send(t, c, "00A40000"), send(t, c, "00200001")}
	}
	before := card.Exchanges()
	task()
	for n := 1; n <= card.Exchanges()-before; n++ {
		card.SetFaults(virtual.Rules(virtual.At(n, virtual.SW(0x6581))))
		if got := task(); got[n-1] != "6581" || got[2-n] == "6581" {
			t.Errorf("%d: %v", n, got)
		}
		before = card.Exchanges() - 2
	}
}
