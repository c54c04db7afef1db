//go:build linux && !(cgo && pcsclite)

package pcsc

import "github.com/go-cryptoki/cryptoki/internal/pcscdtest"

// services are the clients that are built in.
func services(d *pcscdtest.Daemon) map[string]service {
	return map[string]service{"pcscd": daemon{d.Socket()}}
}
