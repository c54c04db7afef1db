// Package p11kit serves a Module over the remoting protocol of p11-kit, so that
// programs in C use its tokens: p11-kit-client.so, which Linux distributions
// ship, turns the protocol back into a PKCS #11 module.
//
//	l, err := p11kit.Listen(path)
//	if err != nil {
//		return err
//	}
//	fmt.Printf("P11_KIT_SERVER_ADDRESS=%s; export P11_KIT_SERVER_ADDRESS;\n", l.Address())
//	err = p11kit.Serve(ctx, l, module)
//
// Each connection is a PKCS #11 application of its own: its login, its
// sessions and its session objects end when it hangs up. What C has and the Go
// interface does not need lives here: session handles, one active operation of
// a kind in a session, queries for lengths, results that wait for a larger
// buffer. What a mechanism is and who may do what is decided by the Module.
package p11kit
