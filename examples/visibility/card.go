package main

import (
	"context"

	"github.com/go-cryptoki/cryptoki"
	"github.com/go-cryptoki/cryptoki/apdu/virtual"
	"github.com/go-cryptoki/cryptoki/session"
	"github.com/go-cryptoki/cryptoki/token"
)

var (
	soPIN   = token.NewPIN([]byte("87654321"))
	userPIN = token.NewPIN([]byte("123456"))
)

// card is a virtual card with a token on it.
type card struct {
	module *cryptoki.Module
	token  token.Token
}

func newCard(ctx context.Context) (*card, error) {
	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(virtual.Single(virtual.New())))
	if err != nil {
		return nil, err
	}
	c := &card{module: m}
	if err := c.initialise(ctx); err != nil {
		m.Close()
		return nil, err
	}
	return c, nil
}

// initialise makes the token and sets the user's PIN.
func (c *card) initialise(ctx context.Context) error {
	slots, err := c.module.Slots(ctx, true)
	if err != nil {
		return err
	}
	if c.token, err = slots[0].Token(ctx); err != nil {
		return err
	}
	if err := c.token.Initialize(ctx, soPIN, "visibility"); err != nil {
		return err
	}
	s, err := session.Open(ctx, c.token, session.ReadWrite())
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Login(ctx, token.SO, soPIN); err != nil {
		return err
	}
	return s.InitPIN(ctx, userPIN)
}

// enter brings a session whose user is logged in into a state.
func enter(ctx context.Context, s *session.Session, state token.State) error {
	if state == token.ROUser || state == token.RWUser {
		return nil
	}
	if err := s.Logout(ctx); err != nil || state != token.RWSO {
		return err
	}
	return s.Login(ctx, token.SO, soPIN)
}
