// Package cryptoki gives Go programs the keys on smart cards: as crypto.Signer,
// crypto.Decrypter and ecdh.KeyExchanger, with no C anywhere.
//
//	m, err := cryptoki.Open(ctx, cryptoki.WithPIN(prompt.Terminal(os.Stdin, os.Stderr)))
//	if err != nil {
//		return err
//	}
//	defer m.Close()
//	key, err := m.Key(ctx, "pkcs11:token=demo;object=signing")
//	if err != nil {
//		return err
//	}
//	signature, err := key.Sign(rand.Reader, digest, crypto.SHA256)
//
// A PKCS #11 URI (RFC 7512) names the key; Module.TLSCertificate gives crypto/tls
// the certificate with it. Tests use the cards of package cardtest.
//
// For the full PKCS #11 model see package session. The package is a PKCS #11
// implementation: slots, tokens, sessions, public and private session and token
// objects with the visibility rules of the standard. A Module is one PKCS #11
// application:
//
//	slots, err := m.Slots(ctx, true)
//	s, err := m.OpenSession(ctx, slots[0].ID(), session.ReadWrite())
//	err = s.Login(ctx, token.User, pin)
//
// Objects and their attributes are in package object, mechanisms in package
// mechanism, return codes in package ckr. Programs in C use it through package
// p11kit. Drivers for more cards are written with package token/driver.
//
// Do not use it for keys that a file may hold: crypto and golang.org/x/crypto are
// simpler and faster. It loads no PKCS #11 modules of vendors (.so, .dll), and it
// protects nothing from who controls the reader: there is no secure messaging.
package cryptoki
