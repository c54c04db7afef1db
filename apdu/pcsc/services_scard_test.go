//go:build linux && cgo && pcsclite

package pcsc

import (
	"os"

	"github.com/go-cryptoki/cryptoki/internal/pcscdtest"
)

// services are the clients that are built in. The library asks the environment
// once where the daemon is: a process has one daemon.
func services(d *pcscdtest.Daemon) map[string]service {
	os.Setenv("PCSCLITE_CSOCK_NAME", d.Socket())
	return map[string]service{"pcscd": daemon{d.Socket()}, "pcsclite": library{}}
}
