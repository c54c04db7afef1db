package apdu

import "fmt"

// Status is a status word, SW1 SW2 of ISO 7816-4 §5.6. It is an error unless it
// is 9000. Errors that come from a card hold one:
//
//	errors.Is(err, apdu.SWFileNotFound)
//	errors.Is(err, apdu.Status(0x63C0)) // any of the family 63Cx
//	var sw apdu.Status
//	errors.As(err, &sw)
type Status uint16

// Status words that programs decide on.
const (
	OK                       Status = 0x9000
	SWBytesLeft              Status = 0x6100 // family 61xx: xx more bytes
	SWWarning                Status = 0x6200
	SWCorruptData            Status = 0x6281
	SWEndOfFile              Status = 0x6282
	SWDeactivated            Status = 0x6283
	SWTerminated             Status = 0x6285
	SWVerifyFailed           Status = 0x6300
	SWTriesLeft              Status = 0x63C0 // family 63Cx: x tries left
	SWExecutionError         Status = 0x6400
	SWMemoryFailure          Status = 0x6581
	SWWrongLength            Status = 0x6700
	SWChannelNotSupported    Status = 0x6881
	SWSMNotSupported         Status = 0x6882
	SWLastOfChainExpected    Status = 0x6883
	SWChainingNotSupported   Status = 0x6884
	SWNotAllowed             Status = 0x6900
	SWIncompatibleFile       Status = 0x6981
	SWSecurityNotSatisfied   Status = 0x6982
	SWBlocked                Status = 0x6983
	SWReferenceNotUsable     Status = 0x6984
	SWConditionsNotSatisfied Status = 0x6985
	SWNoCurrentEF            Status = 0x6986
	SWWrongData              Status = 0x6A80
	SWFunctionNotSupported   Status = 0x6A81
	SWFileNotFound           Status = 0x6A82
	SWRecordNotFound         Status = 0x6A83
	SWNoMemory               Status = 0x6A84
	SWWrongP1P2              Status = 0x6A86
	SWReferenceNotFound      Status = 0x6A88
	SWFileExists             Status = 0x6A89
	SWNameExists             Status = 0x6A8A
	SWWrongOffset            Status = 0x6B00
	SWCorrectLe              Status = 0x6C00 // family 6Cxx: Le should be xx
	SWINSNotSupported        Status = 0x6D00
	SWCLANotSupported        Status = 0x6E00
	SWNoDiagnosis            Status = 0x6F00
)

// meanings holds ISO 7816-4 tables 5 and 6 in short sentences.
var meanings = map[Status]string{
	0x9000: "success",
	0x6200: "warning, nothing changed",
	0x6281: "part of the data may be corrupt",
	0x6282: "end of file reached",
	0x6283: "file or application deactivated",
	0x6284: "file control information malformed",
	0x6285: "file or application terminated",
	0x6286: "no input from a sensor",
	0x6300: "verification failed",
	0x6381: "file filled up by the last write",
	0x6400: "execution error, nothing changed",
	0x6401: "the card needs an immediate answer",
	0x6500: "execution error, memory changed",
	0x6581: "memory failure",
	0x6700: "wrong length",
	0x6800: "function of the class byte not supported",
	0x6881: "logical channel not supported",
	0x6882: "secure messaging not supported",
	0x6883: "last command of the chain expected",
	0x6884: "command chaining not supported",
	0x6900: "command not allowed",
	0x6981: "command does not fit the file structure",
	0x6982: "security status not satisfied",
	0x6983: "authentication method blocked",
	0x6984: "reference data not usable",
	0x6985: "conditions of use not satisfied",
	0x6986: "no current file",
	0x6987: "secure messaging object missing",
	0x6988: "secure messaging object incorrect",
	0x6A00: "wrong parameters",
	0x6A80: "incorrect data",
	0x6A81: "function not supported",
	0x6A82: "file not found",
	0x6A83: "record not found",
	0x6A84: "not enough memory",
	0x6A85: "length does not fit the TLV structure",
	0x6A86: "incorrect parameters P1 P2",
	0x6A87: "length does not fit P1 P2",
	0x6A88: "referenced data not found",
	0x6A89: "file already exists",
	0x6A8A: "name already exists",
	0x6B00: "wrong parameters P1 P2",
	0x6D00: "instruction not supported",
	0x6E00: "class not supported",
	0x6F00: "no precise diagnosis",
}

// families holds the meaning of SW1 where SW2 is a number or not in meanings.
var families = map[byte]string{
	0x61: "more bytes available",
	0x62: "warning, nothing changed",
	0x63: "warning, memory changed",
	0x64: "execution error, nothing changed",
	0x65: "execution error, memory changed",
	0x66: "security error",
	0x67: "wrong length",
	0x68: "function of the class byte not supported",
	0x69: "command not allowed",
	0x6A: "wrong parameters",
	0x6B: "wrong parameters P1 P2",
	0x6C: "wrong length Le",
	0x6D: "instruction not supported",
	0x6E: "class not supported",
	0x6F: "no precise diagnosis",
}

// Meaning says what ISO 7816-4 means by the status word, without the number.
func (s Status) Meaning() string {
	if m, ok := meanings[s]; ok {
		return m
	}
	if s&0xFFF0 == SWTriesLeft {
		switch n := s & 0x0F; n {
		case 0:
			return "verification failed, no tries left"
		case 1:
			return "verification failed, 1 try left"
		default:
			return fmt.Sprintf("verification failed, %d tries left", n)
		}
	}
	if m, ok := families[s.SW1()]; ok {
		return m
	}
	return "unknown status"
}

// Error is the meaning with the number behind it: "file not found (6A82)".
func (s Status) Error() string { return fmt.Sprintf("%s (%04X)", s.Meaning(), uint16(s)) }

// String is the number in hexadecimal: "6A82".
func (s Status) String() string { return fmt.Sprintf("%04X", uint16(s)) }

// SW1 and SW2 are the two bytes of the status word.
func (s Status) SW1() byte { return byte(s >> 8) }

// SW2 is the second byte of the status word.
func (s Status) SW2() byte { return byte(s) }

// Is lets errors.Is match by family where the last digits are a number: 63C0
// stands for 63Cx, 6100 for 61xx and 6C00 for 6Cxx. Any other target matches
// itself alone.
func (s Status) Is(target error) bool {
	t, ok := target.(Status)
	if !ok {
		return false
	}
	switch t {
	case SWTriesLeft:
		return s&0xFFF0 == t
	case SWBytesLeft, SWCorrectLe:
		return s&0xFF00 == t
	}
	return s == t
}

// IsWarning tells whether the card executed the command and warns, 62xx and
// 63xx.
func (s Status) IsWarning() bool { return s.SW1() == 0x62 || s.SW1() == 0x63 }

// Tries is the number of tries left at a PIN, if the status word tells: x of
// 63Cx, and 0 of 6983. 6300 and its like tell nothing.
func (s Status) Tries() (left int, known bool) {
	switch {
	case s&0xFFF0 == SWTriesLeft:
		return int(s & 0x0F), true
	case s == SWBlocked:
		return 0, true
	}
	return 0, false
}

// valid tells whether a card may answer this word at all: 61xx to 6Fxx and 9xxx
// (ISO 7816-3 §10.3.3). Readers that garble an answer often make zeros of it.
func (s Status) valid() bool {
	return s.SW1() > 0x60 && s.SW1() <= 0x6F || s.SW1()&0xF0 == 0x90
}
