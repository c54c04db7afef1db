package myeid

import "github.com/go-cryptoki/cryptoki/apdu"

// status is a status word of ISO 7816-4 §5.6.
type status = apdu.Status

const (
	swOK          status = 0x9000
	swEndOfFile   status = 0x6282
	swTries       status = 0x63C0 // plus the tries left
	swMemory      status = 0x6581
	swLength      status = 0x6700
	swChannel     status = 0x6881
	swSecure      status = 0x6882
	swChaining    status = 0x6884
	swStructure   status = 0x6981
	swSecurity    status = 0x6982
	swBlocked     status = 0x6983
	swInvalidData status = 0x6984
	swConditions  status = 0x6985
	swNoCurrentEF status = 0x6986
	swWrongData   status = 0x6A80
	swUnsupported status = 0x6A81
	swNotFound    status = 0x6A82
	swFull        status = 0x6A84
	swP1P2        status = 0x6A86
	swLcInconsist status = 0x6A87
	swNoReference status = 0x6A88
	swExists      status = 0x6A89
	swOutside     status = 0x6B00
	swInstruction status = 0x6D00
	swClass       status = 0x6E00
	swNoDiagnosis status = 0x6F00
)
