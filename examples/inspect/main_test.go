package main

import (
	"strings"
	"testing"

	"github.com/go-cryptoki/cryptoki/apdu/virtual"
)

func TestInspectsTheVirtualCard(t *testing.T) {
	readers, err := choose(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), readers, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"T=1", "OsEID", "PKCS #15 (A000000063504B43532D3135)", "CKO_PUBLIC_KEY \"mail\"", "CKO_CERTIFICATE"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}

func TestInspectsWhatThereIs(t *testing.T) {
	readers := virtual.NewProvider(virtual.Reader{Name: "empty"}, virtual.Reader{Name: "blank", Card: virtual.New()})
	var out strings.Builder
	if err := run(t.Context(), readers, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"empty\n  no card\n", "blank\n  ATR 3B"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
