package pcsc

// ctlCode is the driver's number of a control code of PC/SC part 10.
func ctlCode(code uint32) uint32 { return 0x42000000 + code }
