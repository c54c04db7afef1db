//go:build !linux

package p11kit

import "net"

// samePeer leaves it to the mode of the socket, where the system does not tell
// who the peer is.
func samePeer(*net.UnixConn) error { return nil }
