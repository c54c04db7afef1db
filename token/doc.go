// Package token is PKCS #11 tokens: who may do what with which object, and
// what a family of cards must do for that.
//
// A Card is a token as all applications of a process share it, over one
// Backend. A Token is one application's view of it, with the login, the
// handles and the session objects of that application. A Seat is one session's
// right to a Token; package session makes the calls of PKCS #11 out of it.
//
//	card := token.NewCard(backend, reader)
//	t := card.Application()
//	seat, err := t.Seat(ctx, true)
//	if err != nil {
//		return err
//	}
//	err = seat.Login(ctx, token.User, token.NewPIN(pin))
//
// This package is the only place that decides access: accessTable in access.go
// has one verdict for each state, kind of object and verb. It also keeps the
// logins of several applications on one card apart, and notices what other
// programs did to the card in between.
//
// What it leaves to others: how a card family stores objects (Backend, in a
// package of its own below this one), what a template must hold (package
// object), and mechanisms in software.
package token
