// Package spec holds PKCS #11 version 3.2 as tables of tab-separated values:
// constants, attributes and their footnotes, mechanisms, session rules, and
// the wording of return codes.
//
// The packages ckr, mechanism and object ship Go code that the program in
// spec/gen makes from these tables, and never read them at run time. Tests
// walk them row by row:
//
//	rows, err := spec.Rows("session_rules.tsv")
//	for _, row := range rows {
//		if row["row_type"] == "template" { … }
//	}
//
// README.md says where the facts come from and what the columns mean.
package spec
