// Package engine is the part of the library that makes PKCS #11 tokens of
// Backends: who may do what with which object, and what happens to a card in
// between.
//
// A Card is a token as all applications of a process share it, over one
// driver.Backend. A Token is one application's view of it, with the login, the
// handles and the session objects of that application. A Session is one session
// of a Token; package session makes the calls of PKCS #11 out of it.
//
// This package is the only place that decides access: accessTable in access.go
// has one verdict for each state, kind of object and verb. It decides where a key
// is used, on the card or in software (operate.go), proves that what is found
// again is the same (identity.go), keeps the logins of several applications on
// one card apart (login.go, card.go), and detects what other programs did to the
// card in between (card.go, refusal.go).
package engine
