//go:build windows || (cgo && (darwin || pcsclite))

package pcsc

func defaultService() (service, error) { return library{}, nil }
