package main

import (
	"context"
	"fmt"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

// changePIN sets, changes and unblocks PINs.
func changePIN(ctx context.Context, e *env, args []string) error {
	f := e.flags("pin")
	asSO := f.Bool("so", false, "")
	soGiven := f.String("so-pin", "", "")
	given := f.String("pin", "", "")
	puk := f.String("puk", "", "")
	newGiven := f.String("new", "", "")
	rest, err := parseAll(f, args, 1, 2)
	if err != nil {
		return err
	}
	text := uriAt(rest, 1)
	var do func(s *session.Session, old, new token.PIN) error
	var old, variable, who string
	switch rest[0] {
	case "set":
		old, variable, who = *soGiven, envSOPIN, "security officer's PIN"
		do = func(s *session.Session, so, new token.PIN) error {
			if err := s.Login(ctx, token.SO, so); err != nil {
				return err
			}
			return s.InitPIN(ctx, new)
		}
	case "change":
		role := token.User
		old, variable, who = *given, envPIN, "user's PIN"
		if *asSO {
			role = token.SO
			old, variable, who = *soGiven, envSOPIN, "security officer's PIN"
		}
		do = func(s *session.Session, old, new token.PIN) error {
			if err := s.Login(ctx, role, old); err != nil {
				return err
			}
			return s.SetPIN(ctx, old, new)
		}
	case "unblock":
		old, variable, who = *puk, envPUK, "PUK"
		do = func(s *session.Session, puk, new token.PIN) error { return s.UnblockPIN(ctx, puk, new) }
	default:
		return usagef("pin %s is nothing; try cryptoki pin --help", rest[0])
	}
	return e.withModule(ctx, false, func(m *cryptoki.Module) error {
		t, err := m.Token(ctx, text)
		if err != nil {
			return err
		}
		first, err := e.pin(old, variable, who)
		if err != nil {
			return err
		}
		defer first.Clear()
		second, err := e.newPIN(*newGiven)
		if err != nil {
			return err
		}
		defer second.Clear()
		s, err := session.Open(ctx, t, session.ReadWrite())
		if err != nil {
			return err
		}
		defer s.Close()
		if err := do(s, first, second); err != nil {
			return err
		}
		return e.print(map[string]string{"pin": rest[0]}, fmt.Sprintf("the PIN is %s", map[string]string{
			"set": "set", "change": "changed", "unblock": "unblocked"}[rest[0]]))
	})
}
