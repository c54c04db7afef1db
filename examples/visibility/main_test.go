package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/internal/spec"
	"github.com/go-cryptoki/cryptoki/token"
)

// TestMatrixIsThatOfTheStandard compares each cell with the row of the table
// of accesses.
func TestMatrixIsThatOfTheStandard(t *testing.T) {
	m, err := measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := spec.Rows("session_rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, r := range rows {
		c, ok := named(r)
		if !ok {
			continue
		}
		compared++
		want := strings.Split(r["code"], "|")
		switch r["result"] {
		case "allowed":
			want = []string{yes}
		case "not found":
			want = []string{unfound}
		}
		if got := m[c]; !slices.Contains(want, got) {
			t.Errorf("%v, %v, %v: %s, want %v", c.state, c.kind, c.verb, got, want)
		}
	}
	if all := len(states) * len(kinds) * len(verbs); compared != all || len(m) != all {
		t.Errorf("%d cells of %d were compared, of %d", compared, len(m), all)
	}
}

// named finds the cell that a row of the table is about.
func named(r map[string]string) (c cell, ok bool) {
	var found [3]bool
	for i, name := range []string{"RO_PUBLIC", "RO_USER", "RW_PUBLIC", "RW_USER", "RW_SO"} {
		if r["state"] == name {
			c.state, found[0] = states[i], true
		}
	}
	for i, name := range []string{"public_session", "private_session", "public_token", "private_token"} {
		if r["object_kind"] == name {
			c.kind, found[1] = kinds[i], true
		}
	}
	for i, name := range []string{"see", "read", "create", "modify", "destroy"} {
		if r["operation_or_event"] == name {
			c.verb, found[2] = verbs[i], true
		}
	}
	return c, r["row_type"] == "access" && found == [3]bool{true, true, true}
}

// TestTableIsAligned looks at the form of what is printed.
func TestTableIsAligned(t *testing.T) {
	m := matrix{{token.RWSO, token.PublicToken, token.Destroy}: yes}
	var out bytes.Buffer
	m.print(&out)
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(lines) != 1+len(states)*(1+len(kinds)) {
		t.Errorf("%d lines:\n%s", len(lines), out.String())
	}
	at := strings.Index(lines[0], "destroy")
	for _, line := range lines[1:] {
		if i := strings.Index(line, yes); i >= 0 && utf8.RuneCountInString(line[:i]) != at {
			t.Errorf("column %d, want %d: %s", i, at, line)
		}
	}
}
