// Package manager is the application of a YubiKey that tells what the device
// is: its firmware version, serial number, form and applications. Yubico's
// programs and GnuPG ask it before they look at any other.
//
//	app := manager.New([3]byte{5, 7, 1}, 12345678)
//	answer := app.Process([]byte{0x00, 0x1D, 0x00, 0x00, 0x00})
//
// It tells and changes nothing: the configuration is not written here, and
// there is nothing that outlives a command.
package manager
