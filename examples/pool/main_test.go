package main

import (
	"strings"
	"testing"
)

func TestRunsOnTheVirtualCard(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "1000 goroutines signed") {
		t.Errorf("printed %s", out.String())
	}
}
