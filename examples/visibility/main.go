// Visibility prints who may do what: for each of the five states of a session
// and each of the four kinds of objects, whether the session finds, reads,
// creates, modifies and destroys one. Each cell is the outcome of a real call
// on a virtual card: ✓, or the code of the refusal.
//
// Handles of objects that the state does not show were obtained while the user
// was logged in.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-cryptoki/cryptoki/token"
)

func main() {
	log.SetFlags(0)
	m, err := measure(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	m.print(os.Stdout)
}

// states are the rows of the matrix, in the order in which they are printed.
var states = []token.State{token.ROPublic, token.ROUser, token.RWPublic, token.RWUser, token.RWSO}

// cell names one outcome.
type cell struct {
	state token.State
	kind  kind
	verb  verb
}

// matrix has the outcomes: "✓", "not found", or a CKR_ name.
type matrix map[cell]string

// measure makes a token and brings about every state in turn.
func measure(ctx context.Context) (matrix, error) {
	c, err := newCard(ctx)
	if err != nil {
		return nil, err
	}
	defer c.module.Close()
	m := matrix{}
	for _, state := range states {
		for _, kind := range kinds {
			for _, verb := range verbs {
				outcome, err := c.try(ctx, state, kind, verb)
				if err != nil {
					return nil, fmt.Errorf("%v, %v, %v: %w", state, kind.name, verb, err)
				}
				m[cell{state, kind, verb}] = outcome
			}
		}
	}
	return m, nil
}

// print writes the matrix as a table.
func (m matrix) print(w io.Writer) {
	table := [][]string{{"state", "object"}}
	for _, verb := range verbs {
		table[0] = append(table[0], string(verb))
	}
	for _, state := range states {
		for _, kind := range kinds {
			row := []string{state.String(), kind.name}
			if kind != kinds[0] {
				row[0] = ""
			}
			for _, verb := range verbs {
				row = append(row, m[cell{state, kind, verb}])
			}
			table = append(table, row)
		}
	}
	align(w, table)
}

// align writes rows in columns as wide as they need to be.
func align(w io.Writer, table [][]string) {
	width := make([]int, len(table[0]))
	for _, row := range table {
		for i, text := range row {
			width[i] = max(width[i], utf8.RuneCountInString(text))
		}
	}
	for n, row := range table {
		if n > 0 && row[0] != "" {
			fmt.Fprintln(w)
		}
		var line strings.Builder
		for i, text := range row {
			line.WriteString(text + strings.Repeat(" ", width[i]-utf8.RuneCountInString(text)+2))
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}
