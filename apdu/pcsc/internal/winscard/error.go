package winscard

import "fmt"

// Error is a return code of a PC/SC function other than success.
type Error uint32

// The codes that a client tells apart, PC/SC part 5 §3.
const (
	InternalError      Error = 0x80100001
	Cancelled          Error = 0x80100002
	InvalidHandle      Error = 0x80100003
	InvalidParameter   Error = 0x80100004
	NoMemory           Error = 0x80100006
	InsufficientBuffer Error = 0x80100008
	UnknownReader      Error = 0x80100009
	Timeout            Error = 0x8010000A
	SharingViolation   Error = 0x8010000B
	NoSmartCard        Error = 0x8010000C
	ProtocolMismatch   Error = 0x8010000F
	NotReady           Error = 0x80100010
	InvalidValue       Error = 0x80100011
	SystemCancelled    Error = 0x80100012
	CommError          Error = 0x80100013
	NotTransacted      Error = 0x80100016
	ReaderUnavailable  Error = 0x80100017
	NoService          Error = 0x8010001D
	ServiceStopped     Error = 0x8010001E
	Unexpected         Error = 0x8010001F // pcsc-lite also means UnsupportedFeature
	UnsupportedFeature Error = 0x80100022
	NoReadersAvailable Error = 0x8010002E
	CommDataLost       Error = 0x8010002F
	UnsupportedCard    Error = 0x80100065
	UnresponsiveCard   Error = 0x80100066
	UnpoweredCard      Error = 0x80100067
	ResetCard          Error = 0x80100068
	RemovedCard        Error = 0x80100069
	SecurityViolation  Error = 0x8010006A
)

var texts = map[Error]string{
	InternalError:      "internal error of the service",
	Cancelled:          "cancelled",
	InvalidHandle:      "handle not valid any more",
	InvalidParameter:   "parameter not valid",
	NoMemory:           "the service has no memory or no more connections to give",
	InsufficientBuffer: "buffer too small",
	UnknownReader:      "unknown reader",
	Timeout:            "timeout",
	SharingViolation:   "in use by another program",
	NoSmartCard:        "no card in the reader",
	ProtocolMismatch:   "the card does not speak the protocol",
	NotReady:           "reader or card not ready",
	InvalidValue:       "value not valid",
	SystemCancelled:    "cancelled by the system",
	CommError:          "communication error",
	NotTransacted:      "exchange failed",
	ReaderUnavailable:  "reader not available",
	NoService:          "the smart card service does not run",
	ServiceStopped:     "the smart card service has stopped",
	Unexpected:         "not supported by the reader",
	UnsupportedFeature: "not supported by the reader",
	NoReadersAvailable: "no readers",
	CommDataLost:       "data lost",
	UnsupportedCard:    "the reader does not understand the card's answer to reset",
	UnresponsiveCard:   "the card does not answer",
	UnpoweredCard:      "the card has no power",
	ResetCard:          "card was reset",
	RemovedCard:        "card was removed",
	SecurityViolation:  "access denied by the system's policy",
}

// Error reads "card was reset (80100068)".
func (e Error) Error() string {
	text, ok := texts[e]
	if !ok {
		text = "smart card service"
	}
	return fmt.Sprintf("%s (%08X)", text, uint32(e))
}
