package spec_test

import (
	"testing"

	"github.com/go-cryptoki/cryptoki/internal/spec"
)

func TestEveryTableReads(t *testing.T) {
	for _, name := range []string{"constants.tsv", "messages.tsv", "attributes.tsv", "mechanisms.tsv", "session_rules.tsv"} {
		rows, err := spec.Rows(name)
		if err != nil {
			t.Error(err)
		}
		if len(rows) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if _, err := spec.Rows("none.tsv"); err == nil {
		t.Error("a table that is not there was read")
	}
}
