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
	if !strings.Contains(out.String(), "hello client, this is rsa") {
		t.Errorf("printed %s", out.String())
	}
}
