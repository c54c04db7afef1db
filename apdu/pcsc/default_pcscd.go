//go:build !windows && !darwin && !pcsclite

package pcsc

func defaultService() (service, error) { return daemon{}, nil }
