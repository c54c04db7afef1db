package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/mechanism"
)

// tokenDetails is all about a token, for machines.
type tokenDetails struct {
	tokenOut
	MinPIN     int            `json:"min_pin"`
	MaxPIN     int            `json:"max_pin"`
	Tries      *int           `json:"user_tries,omitempty"`
	SOTries    *int           `json:"so_tries,omitempty"`
	FreeMemory *int64         `json:"free_memory,omitempty"`
	Mechanisms []mechanismOut `json:"mechanisms,omitempty"`
}

type mechanismOut struct {
	Name    string   `json:"name"`
	MinSize uint64   `json:"min_size,omitempty"`
	MaxSize uint64   `json:"max_size,omitempty"`
	Flags   []string `json:"flags"`
}

func known(t ckr.Tries) *int {
	if !t.Known {
		return nil
	}
	return &t.Left
}

// showToken describes a token.
func showToken(ctx context.Context, e *env, args []string) error {
	f := e.flags("token")
	mechanisms := f.Bool("mechanisms", false, "")
	text, err := parseURI(f, args)
	if err != nil {
		return err
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		t, err := m.Token(ctx, text)
		if err != nil {
			return err
		}
		i, err := t.Info(ctx)
		if err != nil {
			return err
		}
		d := tokenDetails{tokenOut: *tokenJSON(i), MinPIN: i.MinPIN, MaxPIN: i.MaxPIN, Tries: known(i.UserTries), SOTries: known(i.SOTries)}
		if i.FreePublic >= 0 {
			d.FreeMemory = &i.FreePublic
		}
		if *mechanisms {
			d.Mechanisms = mechanismList(t.Mechanisms())
		}
		return e.print(d, d.text())
	})
}

func mechanismList(all map[mechanism.Type]mechanism.Info) (list []mechanismOut) {
	for t, i := range all {
		list = append(list, mechanismOut{strings.TrimPrefix(t.String(), "CKM_"), i.MinKeySize, i.MaxKeySize, strings.Fields(i.Flags.String())})
	}
	slices.SortFunc(list, func(a, b mechanismOut) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (d tokenDetails) text() string {
	var w strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&w, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("label", "%s", d.Label)
	line("manufacturer", "%s", d.Manufacturer)
	line("model", "%s", d.Model)
	line("serial number", "%s", d.Serial)
	line("flags", "%s", strings.Join(d.Flags, " "))
	line("PIN", "%d to %d bytes", d.MinPIN, d.MaxPIN)
	if d.Tries != nil {
		line("tries left", "%d", *d.Tries)
	}
	if d.FreeMemory != nil {
		line("free memory", "%d bytes", *d.FreeMemory)
	}
	for _, m := range d.Mechanisms {
		size := ""
		if m.MaxSize > 0 {
			size = fmt.Sprintf("%d–%d", m.MinSize, m.MaxSize)
		}
		fmt.Fprintf(&w, "  %-34s %-14s %s\n", m.Name, size, strings.Join(m.Flags, " "))
	}
	return strings.TrimSuffix(w.String(), "\n")
}
