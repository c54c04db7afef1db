// Package pcscd speaks the socket protocol of pcscd, the smart card service of
// Linux and the BSDs, so that no C library is needed.
//
// The protocol is pcsc-lite's own, between its library and its daemon; there is
// no standard for it. Versions 4:4 to 4:6 are understood: daemons since 2018.
//
//	c, err := pcscd.Dial(ctx, pcscd.Socket())
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	readers, err := c.Readers()
//	...
//	card, err := c.Connect(readers[0].Name)
//	...
//	answer, err := card.Transmit([]byte{0x00, 0xCA, 0x01, 0xA0, 0x14})
//
// A Client is one connection to the daemon, which serves it one request after
// the other: whoever wants to wait for one thing while doing another has two.
// Package pcsc makes readers for this library out of Clients; programs use
// that.
package pcscd
