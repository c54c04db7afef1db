// Package cryptoki is a PKCS #11 implementation in Go: slots, tokens, sessions
// and objects with the visibility rules of the standard, over smart cards that
// are reached with APDUs. There is no C in it, and none below it.
//
// A Module is one PKCS #11 application. The usual course is: open, find a slot
// with a token, open a session, log in, work, log out, close.
//
//	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(provider))
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	slots, err := m.Slots(ctx, true)
//	if err != nil {
//		return err
//	}
//	t, err := slots[0].Token(ctx)
//	if err != nil {
//		return err
//	}
//	s, err := session.Open(ctx, t, session.ReadWrite())
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	if err := s.Login(ctx, token.User, token.NewPIN([]byte("123456"))); err != nil {
//		return err
//	}
//
// Sessions and what they do are in package session, objects and their
// attributes in package object, mechanisms in package mechanism, return codes
// in package ckr. Readers come from a provider: package apdu/virtual has cards
// in memory for tests.
package cryptoki
