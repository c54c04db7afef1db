package spec

import (
	"embed"
	"errors"
	"fmt"
	"strings"
)

//go:embed *.tsv
var tables embed.FS

// Rows reads one of the tables, named as its file is ("session_rules.tsv"),
// and returns its rows as maps from column name to cell. A row with fewer or
// more cells than the header is an error.
func Rows(name string) ([]map[string]string, error) {
	text, err := tables.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("spec: %w", err)
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	header := strings.Split(lines[0], "\t")
	if len(lines) < 2 {
		return nil, errors.New("spec: " + name + " has no rows")
	}
	rows := make([]map[string]string, 0, len(lines)-1)
	for i, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		if len(cells) != len(header) {
			return nil, fmt.Errorf("spec: %s line %d has %d cells, want %d", name, i+2, len(cells), len(header))
		}
		row := make(map[string]string, len(header))
		for j, column := range header {
			row[column] = cells[j]
		}
		rows = append(rows, row)
	}
	return rows, nil
}
