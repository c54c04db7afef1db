// Package piv is a PIV card application, SP 800-73-5 part 2: data objects, key
// references, PINs and what is computed with the keys, behind one function
// from command APDU to response APDU.
//
//	card := piv.New(piv.Persona{PIN: "123456", PUK: "12345678", ...})
//	answer := card.Process([]byte{0x00, 0xCB, 0x3F, 0xFF, 0x03, 0x5C, 0x01, 0x7E, 0x00})
//
// A persona may add what Yubico's application has beyond the standard: import,
// metadata, attestation, moving of keys, reset. Secure messaging and biometry
// are not there.
//
// A Card is used by one goroutine at a time. Readers, other applications on
// the same card, power and faults are left to package virtual; where the state
// is kept is left to a Store. Process never panics, whatever it is sent, and
// its memory is bounded by the persona's capacity.
package piv
