// Package pcscdtest runs a pcscd of the test's own, with two virtual readers,
// out of sight of the system's: in a mount namespace, with its own ports.
//
//	d := pcscdtest.Start(t)
//	d.Plug(t, 0, virtual.New())
//	p, err := pcsc.Open(pcsc.WithSocket(d.Socket()))
//
// It needs Debian's packages pcscd and vsmartcard-vpcd, and the right to make a
// mount namespace. Where something is missing tests are skipped; with
// INTEROP=require in the environment they fail.
package pcscdtest
