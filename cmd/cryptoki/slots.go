package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// slotOut is a slot for machines.
type slotOut struct {
	ID     slot.ID   `json:"id"`
	Reader string    `json:"reader"`
	Driver string    `json:"driver,omitempty"`
	ATR    string    `json:"atr,omitempty"`
	Error  string    `json:"error,omitempty"`
	Token  *tokenOut `json:"token,omitempty"`
}

type tokenOut struct {
	Label        string   `json:"label"`
	Manufacturer string   `json:"manufacturer"`
	Model        string   `json:"model"`
	Serial       string   `json:"serial"`
	Flags        []string `json:"flags"`
}

func tokenJSON(i token.Info) *tokenOut {
	return &tokenOut{i.Label, i.Manufacturer, i.Model, i.Serial, strings.Fields(i.Flags.String())}
}

func listSlots(ctx context.Context, e *env, args []string) error {
	if _, err := parseAll(e.flags("slots"), args, 0, 0); err != nil {
		return err
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		slots, err := m.Slots(ctx, false)
		if err != nil {
			return err
		}
		out := []slotOut{}
		var text strings.Builder
		for _, s := range slots {
			o := describe(ctx, s)
			out = append(out, o)
			writeSlot(&text, o)
		}
		if len(out) == 0 {
			text.WriteString("no readers")
		}
		return e.print(out, strings.TrimSuffix(text.String(), "\n"))
	})
}

func describe(ctx context.Context, s *slot.Slot) slotOut {
	i := s.Info()
	o := slotOut{ID: s.ID(), Reader: i.Reader, Driver: i.Driver, ATR: hex.EncodeToString(i.ATR)}
	t, err := s.Token(ctx)
	if errors.Is(err, ckr.TokenNotPresent) {
		return o
	}
	var info token.Info
	if err == nil {
		info, err = t.Info(ctx)
	}
	if err != nil {
		o.Error = err.Error()
		return o
	}
	o.Token = tokenJSON(info)
	return o
}

func writeSlot(w *strings.Builder, o slotOut) {
	fmt.Fprintf(w, "slot %d: %s\n", o.ID, o.Reader)
	switch {
	case o.Error != "":
		fmt.Fprintf(w, "  error:  %s\n", o.Error)
	case o.Token == nil:
		fmt.Fprintf(w, "  empty\n")
	default:
		label := o.Token.Label
		if label == "" {
			label = "(not initialised)"
		}
		fmt.Fprintf(w, "  token:  %s\n  maker:  %s\n  model:  %s\n  serial: %s\n  flags:  %s\n",
			label, o.Token.Manufacturer, o.Token.Model, o.Token.Serial, strings.Join(o.Token.Flags, " "))
	}
}
