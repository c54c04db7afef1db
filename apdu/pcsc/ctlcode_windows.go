package pcsc

// ctlCode is the driver's number of a control code of PC/SC part 10: that of
// a smart card device, with buffered access.
func ctlCode(code uint32) uint32 { return 0x31<<16 | code<<2 }
