//go:build !linux

package virtual

import "net"

// acknowledger has nothing to do where the system has no such setting.
func acknowledger(net.Conn) func() { return func() {} }
