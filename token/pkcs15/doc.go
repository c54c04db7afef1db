// Package pkcs15 drives cards that hold their objects as ISO 7816-15 (PKCS
// #15) says, with the commands of MyEID-compatible cards. Its Driver goes to
// slot.NewList or cryptoki.WithDrivers; programs need nothing else of it.
//
//	list := slot.NewList(provider, []token.Driver{pkcs15.Driver()})
//
// It reads every card that other PKCS #15 writers made for this family, and
// writes so that they read it. What PKCS #11 knows of an object and PKCS #15
// has no place for is kept in two further files of the card, one that anybody
// writes and one for the user (side.go); other programs do not look at them.
//
// Directories are read once and kept; whether somebody else wrote since is
// seen from the card's change counter.
package pkcs15
