package apdu

// Command is one command of ISO 7816-4, before it is cut to what the link
// carries.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte
	// Le is the number of response bytes wanted: 0 none, up to 256 in a short
	// APDU, up to 65536 in an extended one.
	Le int
}

// Status is a status word, SW1 SW2. It is an error unless it is 9000.
type Status uint16
