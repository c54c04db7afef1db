// Package pcsc has the smart card readers of the machine, through PC/SC.
//
//	readers, err := pcsc.Open()
//	if err != nil {
//		return err
//	}
//	m, err := cryptoki.Open(ctx, cryptoki.WithProvider(readers))
//
// That is also what cryptoki.Open does by itself if it is given no provider.
//
// On Linux and the BSDs pcscd is spoken to directly, without C (package pcscd);
// built with cgo and the tag pcsclite, through its own library. On Windows
// winscard.dll is used, without cgo; on macOS the PCSC framework, which needs
// cgo. Where nothing of it can be built in, Open says so.
//
// Cards are shared with every other program: connections are shared, and a
// transaction is held for one unit of work (apdu.Conn.Exclusive), never while
// a person thinks. What others do to a card, resets and removals, is noticed
// and reported as package apdu says. Every card that is in use has a connection
// of its own to the service, so that a reader that hangs holds up nobody else.
//
// What cards are, and what is on them, is left to the drivers.
package pcsc
