package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/object"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/slot"
	"github.com/go-cryptoki/cryptoki/token"
)

// openCard opens the virtual card; only some commands make a new one.
func (e *env) openCard(create bool) (*virtual.Card, error) {
	if e.card == "" {
		return nil, usagef("no card given: --card FILE names a virtual one")
	}
	if _, err := os.Stat(e.card); !create && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no card in %s; cryptoki --card %s init makes one", e.card, e.card)
	}
	return virtual.Open(e.card)
}

// withModule runs f with a Module on the card.
func (e *env) withModule(ctx context.Context, create bool, f func(m *cryptoki.Module) error) error {
	card, err := e.openCard(create)
	if err != nil {
		return err
	}
	defer card.Close()
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(card)))
	if err != nil {
		return err
	}
	return errors.Join(f(m), m.Close())
}

// initToken makes a token and sets the user's PIN.
func initToken(ctx context.Context, e *env, args []string) error {
	f := e.flags("init")
	label := f.String("label", "", "")
	soGiven := f.String("so-pin", "", "")
	userGiven := f.String("pin", "", "")
	if err := parseAll(f, args); err != nil {
		return err
	}
	if *label == "" {
		return usagef("init needs --label")
	}
	if e.card == "" {
		return usagef("no card given: --card FILE names a virtual one")
	}
	so, err := e.pin(*soGiven, envSOPIN, "security officer's PIN")
	if err != nil {
		return err
	}
	defer so.Clear()
	user, err := e.pin(*userGiven, envPIN, "user's PIN")
	if err != nil {
		return err
	}
	defer user.Clear()
	return e.withModule(ctx, true, func(m *cryptoki.Module) error {
		t, err := firstToken(ctx, m, 0)
		if err != nil {
			return err
		}
		if err := checkPINs(ctx, t, user); err != nil {
			return err
		}
		if err := t.Initialize(ctx, so, *label); err != nil {
			return err
		}
		if err := setUserPIN(ctx, t, so, user); err != nil {
			return err
		}
		info, err := t.Info(ctx)
		if err != nil {
			return err
		}
		return e.print(tokenJSON(info), fmt.Sprintf("initialised %q, serial number %s", info.Label, info.Serial))
	})
}

// checkPINs refuses a user PIN of the wrong length before anything is lost.
func checkPINs(ctx context.Context, t *token.Token, user token.PIN) error {
	info, err := t.Info(ctx)
	if err != nil {
		return err
	}
	if n := user.Len(); n < info.MinPIN || info.MaxPIN > 0 && n > info.MaxPIN {
		return ckr.Newf(ckr.PINLenRange, "init", "a PIN has %d to %d bytes", info.MinPIN, info.MaxPIN)
	}
	return nil
}

func setUserPIN(ctx context.Context, t *token.Token, so, user token.PIN) error {
	s, err := session.Open(ctx, t, session.ReadWrite())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Login(ctx, token.SO, so); err != nil {
		return err
	}
	return s.InitPIN(ctx, user)
}

// firstToken returns the token in a slot, or in the first slot that has one.
func firstToken(ctx context.Context, m *cryptoki.Module, id uint64) (*token.Token, error) {
	if id != 0 {
		s, err := m.Slot(ctx, slot.ID(id))
		if err != nil {
			return nil, err
		}
		return s.Token(ctx)
	}
	slots, err := m.Slots(ctx, true)
	if err != nil {
		return nil, err
	}
	if len(slots) == 0 {
		return nil, ckr.Newf(ckr.TokenNotPresent, "", "no slot has a token")
	}
	return slots[0].Token(ctx)
}

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
	if err := parseAll(e.flags("slots"), args); err != nil {
		return err
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		slots, err := m.Slots(ctx, false)
		if err != nil {
			return err
		}
		var out []slotOut
		var text strings.Builder
		for _, s := range slots {
			o := describe(ctx, s)
			out = append(out, o)
			writeSlot(&text, o)
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

// objectOut is an object for machines.
type objectOut struct {
	Handle  uint64 `json:"handle"`
	Class   string `json:"class"`
	KeyType string `json:"key_type,omitempty"`
	Label   string `json:"label"`
	ID      string `json:"id,omitempty"`
	Private bool   `json:"private"`
	Error   string `json:"error,omitempty"`
}

func listObjects(ctx context.Context, e *env, args []string) error {
	f := e.flags("objects")
	id := f.Uint64("slot", 0, "")
	login := f.Bool("login", false, "")
	given := f.String("pin", "", "")
	if err := parseAll(f, args); err != nil {
		return err
	}
	if *given != "" && !*login {
		return usagef("objects takes --pin with --login only")
	}
	var user token.PIN
	if *login {
		var err error
		if user, err = e.pin(*given, envPIN, "user's PIN"); err != nil {
			return err
		}
		defer user.Clear()
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		t, err := firstToken(ctx, m, *id)
		if err != nil {
			return err
		}
		s, err := session.Open(ctx, t)
		if err != nil {
			return err
		}
		defer s.Close()
		if *login {
			if err := s.Login(ctx, token.User, user); err != nil {
				return err
			}
		}
		out, err := collect(ctx, s)
		if err != nil {
			return err
		}
		return e.print(out, table(out))
	})
}

// collect describes all objects; one that cannot be read does not hide the
// others.
func collect(ctx context.Context, s *session.Session) ([]objectOut, error) {
	out := []objectOut{}
	for o, err := range s.Find(ctx) {
		if err != nil {
			return nil, err
		}
		d := objectOut{Handle: o.Handle(), Class: strings.TrimPrefix(o.Class().String(), "CKO_")}
		var errs [3]error
		d.Label, errs[0] = object.Get(ctx, o, object.AttrLabel)
		d.Private, errs[1] = object.Get(ctx, o, object.AttrPrivate)
		if id, err := object.Get(ctx, o, object.AttrID); err == nil {
			d.ID = hex.EncodeToString(id)
		}
		if o.Class().IsKey() {
			var kt object.KeyType
			kt, errs[2] = object.Get(ctx, o, object.AttrKeyType)
			d.KeyType = strings.TrimPrefix(kt.String(), "CKK_")
		}
		if err := errors.Join(errs[:]...); err != nil {
			d.Error = err.Error()
		}
		out = append(out, d)
	}
	return out, nil
}

func table(all []objectOut) string {
	if len(all) == 0 {
		return "no objects"
	}
	var w strings.Builder
	for _, o := range all {
		seen := "public "
		if o.Private {
			seen = "private"
		}
		fmt.Fprintf(&w, "%-12s %-6s %s  %-20q", o.Class, o.KeyType, seen, o.Label)
		if o.ID != "" {
			fmt.Fprintf(&w, "  id %s", o.ID)
		}
		if o.Error != "" {
			fmt.Fprintf(&w, "  error: %s", o.Error)
		}
		w.WriteByte('\n')
	}
	return strings.TrimSuffix(w.String(), "\n")
}

// plug serves the card to pcscd until the program is interrupted.
func plug(ctx context.Context, e *env, args []string) error {
	f := e.flags("plug")
	addr := f.String("vpcd", virtual.DefaultPlug, "")
	if err := parseAll(f, args); err != nil {
		return err
	}
	card, err := e.openCard(true)
	if err != nil {
		return err
	}
	defer card.Close()
	fmt.Fprintf(e.err, "the card in %s is in the reader at %s; interrupt to take it out\n", e.card, *addr)
	err = card.Plug(ctx, *addr)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// print prints a result for machines or for people.
func (e *env) print(v any, text string) error {
	if !e.json {
		_, err := fmt.Fprintln(e.out, text)
		return err
	}
	enc := json.NewEncoder(e.out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
