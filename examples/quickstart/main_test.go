package main

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func TestRunsOnTheVirtualCard(t *testing.T) {
	if err := run(t.Context(), virtual.New()); err != nil {
		t.Fatal(err)
	}
}
