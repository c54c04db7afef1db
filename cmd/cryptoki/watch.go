package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-cryptoki/cryptoki"
)

// watch prints what readers and cards do: a line for each change.
func watch(ctx context.Context, e *env, args []string) error {
	if _, err := parseAll(e.flags("watch"), args, 0, 0); err != nil {
		return err
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		for ev, err := range m.SlotEvents(ctx) {
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if ev.Reader == "" {
				continue // there is no reader
			}
			what := "empty"
			switch {
			case ev.Gone:
				what = "gone"
			case ev.Present:
				what = "card"
			}
			if e.json {
				err = json.NewEncoder(e.out).Encode(struct {
					Slot   uint64 `json:"slot"`
					Reader string `json:"reader"`
					State  string `json:"state"`
					ATR    string `json:"atr,omitempty"`
				}{uint64(ev.Slot), ev.Reader, what, hex.EncodeToString(ev.ATR)})
			} else {
				_, err = fmt.Fprintf(e.out, "slot %d: %s: %s %X\n", ev.Slot, ev.Reader, what, ev.ATR)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
