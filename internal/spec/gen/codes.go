package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-cryptoki/cryptoki/internal/spec"
)

// A constant is one row of constants.tsv.
type constant struct {
	name, kind, alias string
	value             uint64
}

// constants returns the constants of the given kinds by value, aliases after
// the name they stand for.
func constants(kinds ...string) ([]constant, error) {
	rows, err := spec.Rows("constants.tsv")
	if err != nil {
		return nil, err
	}
	var found []constant
	for _, row := range rows {
		if !slices.Contains(kinds, row["kind"]) || strings.HasPrefix(row["value"], "~") {
			continue
		}
		value, err := strconv.ParseUint(row["value"], 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row["name"], err)
		}
		found = append(found, constant{row["name"], row["kind"], row["alias_of"], value})
	}
	slices.SortStableFunc(found, func(a, b constant) int {
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.alias, b.alias), cmp.Compare(a.name, b.name))
	})
	return found, nil
}

func makeCodes(out *bytes.Buffer) error {
	codes, err := constants("return_value")
	if err != nil {
		return err
	}
	rows, err := spec.Rows("messages.tsv")
	if err != nil {
		return err
	}
	messages := map[string]string{}
	for _, row := range rows {
		messages[row["name"]] = row["message"]
	}
	fmt.Fprint(out, "// The return codes of PKCS #11 v3.2 §5.1.\nconst (\n")
	taken := namer{}
	for _, c := range codes {
		name, err := taken.name("", c.name, "CKR_")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s Code = %#08x // %s\n", name, c.value, c.name)
	}
	fmt.Fprint(out, ")\n\n// codes is sorted by code.\nvar codes = [...]text{\n")
	for _, c := range codes {
		if messages[c.name] == "" {
			return fmt.Errorf("%s has no message", c.name)
		}
		fmt.Fprintf(out, "{%#08x, %q, %q},\n", c.value, c.name, messages[c.name])
	}
	fmt.Fprint(out, "}\n")
	return nil
}
