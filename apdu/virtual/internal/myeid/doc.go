// Package myeid is the operating system of a MyEID-compatible card: files and
// their access conditions, PINs, keys and what is computed with them, behind
// one function from command APDU to response APDU.
//
//	card := myeid.New(myeid.Persona{Name: "MyEID", Version: [3]byte{5, 0, 0}, ...})
//	answer := card.Process([]byte{0x00, 0xCA, 0x01, 0xA0, 0x14})
//
// It follows the command set that OpenSC's MyEID driver speaks and OsEID
// emulates: ISO 7816-4, -8 and -9 with PUT DATA and GET DATA of its own. Only
// short APDUs are understood, as on the card.
//
// A Card is used by one goroutine at a time. Readers, sharing between
// programs, power and faults are left to package virtual; where the state is
// kept is left to a Store. Process never panics, whatever it is sent, and its
// memory is bounded by the persona's capacity.
package myeid
