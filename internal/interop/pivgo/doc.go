// Package pivgo has tests in which the Go library piv-go uses a virtual PIV
// card through pcscd. It is a module of its own, for piv-go needs cgo.
package pivgo
