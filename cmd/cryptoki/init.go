package main

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// initToken makes a token and sets the user's PIN.
func initToken(ctx context.Context, e *env, args []string) error {
	f := e.flags("init")
	label := f.String("label", "", "")
	soGiven := f.String("so-pin", "", "")
	userGiven := f.String("pin", "", "")
	text, err := parseURI(f, args)
	if err != nil {
		return err
	}
	if *label == "" {
		return usagef("init needs --label")
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
		t, err := m.Token(ctx, text)
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
func checkPINs(ctx context.Context, t token.Token, user token.PIN) error {
	info, err := t.Info(ctx)
	if err != nil {
		return err
	}
	if n := user.Len(); n < info.MinPIN || info.MaxPIN > 0 && n > info.MaxPIN {
		return ckr.Newf(ckr.PINLenRange, "init", "a PIN has %d to %d bytes", info.MinPIN, info.MaxPIN)
	}
	return nil
}

func setUserPIN(ctx context.Context, t token.Token, so, user token.PIN) error {
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
