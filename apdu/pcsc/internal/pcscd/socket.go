package pcscd

import "os"

// DefaultSocket is where pcscd listens.
const DefaultSocket = "/run/pcscd/pcscd.comm"

// Socket is where pcscd is looked for: PCSCLITE_CSOCK_NAME of the environment,
// as pcsc-lite's own library does, or DefaultSocket.
func Socket() string {
	if s := os.Getenv("PCSCLITE_CSOCK_NAME"); s != "" {
		return s
	}
	return DefaultSocket
}
