package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTellsOfCardsAsTheyComeAndGo(t *testing.T) {
	var out strings.Builder
	if err := play(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`card: .*`).ReplaceAllString(out.String(), "card")
	want := `slot 1: "Virtual 00" is empty
slot 1: "Virtual 00" has a card
slot 1: "Virtual 00" is empty
slot 1: "Virtual 00" has a card
slot 1: reader "Virtual 00" went away
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
