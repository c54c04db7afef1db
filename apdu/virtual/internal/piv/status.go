package piv

import "github.com/go-cryptoki/cryptoki/apdu"

// status is a status word of ISO 7816-4 §5.6.
type status = apdu.Status

const (
	swOK          status = 0x9000
	swFailed      status = 0x6300 // old cards: plus the tries left
	swTries       status = 0x63C0 // plus the tries left
	swMemory      status = 0x6581
	swLength      status = 0x6700
	swChannel     status = 0x6881
	swSecure      status = 0x6882
	swChaining    status = 0x6884
	swSecurity    status = 0x6982
	swBlocked     status = 0x6983
	swConditions  status = 0x6985
	swWrongData   status = 0x6A80
	swNotFound    status = 0x6A82
	swFull        status = 0x6A84
	swP1P2        status = 0x6A86
	swNoReference status = 0x6A88
	swInstruction status = 0x6D00
	swClass       status = 0x6E00
	swNoDiagnosis status = 0x6F00
)
