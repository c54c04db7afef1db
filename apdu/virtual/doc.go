// Package virtual has smart cards and readers made of software, for tests and
// for trying things out: it is to this library what net/http/httptest is to
// net/http.
//
//	card := virtual.New() // a blank card in memory
//	p := virtual.NewProvider(virtual.Reader{Name: "Virtual 00", Card: card})
//	t, err := p.Connect(ctx, "Virtual 00")
//	...
//	answer, err := t.Transmit(ctx, []byte{0x00, 0xCA, 0x01, 0xA0, 0x14})
//
// The card understands the MyEID command set: files with access conditions,
// PINs and PUKs, RSA, EC, AES and DES keys. WithPIV gives it a PIV application
// instead, or beside it, as NIST has it or with the extensions of a YubiKey.
// Personas differ in version, capabilities and quirks. Open keeps a card in a
// file, so that whatever the card has answered outlives the process.
//
// Readers behave as shared PC/SC readers do: several connections to one card,
// transactions, resets by others, removal. Plug puts a card into the vpcd
// reader of a running pcscd, where every other program finds it.
//
// Faults and Card.SetFaults break exchanges: the card is pulled or torn in the
// middle of a command, the reader hangs or goes, answers are lost or rewritten,
// another program comes in between. Rules say at which commands:
//
//	card.SetFaults(virtual.Rules(
//		virtual.On(virtual.INS(0x2A), virtual.Fault{Kind: virtual.CutAfter}),
//		virtual.Every(10, virtual.Fault{Kind: virtual.FailLink}),
//	))
//
// Observe watches the exchanges; Provider.StopService, Hold, Reset, Remove and
// RemoveReader do to all connections what others do to them.
//
// The card is honest about what it is not: its keys lie in the memory of the
// process, and nothing keeps the owner of that from reading them. In a file
// what a PIN guards is sealed under it, as good as the PIN is; Open says what
// that means, and what is not sealed. What a card's content means is left to the drivers.
package virtual
