package driver

import (
	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// StatusCode is the PKCS #11 code for a status word where the command gives
// it no other meaning.
func StatusCode(sw apdu.Status) ckr.Code {
	if sw&0xFFF0 == 0x63C0 {
		if sw == 0x63C0 {
			return ckr.PINLocked
		}
		return ckr.PINIncorrect
	}
	if c, ok := statusCodes[sw]; ok {
		return c
	}
	return ckr.DeviceError
}

var statusCodes = map[apdu.Status]ckr.Code{
	0x9000: ckr.OK,
	0x6300: ckr.PINIncorrect,
	0x6700: ckr.DataLenRange,
	0x6881: ckr.FunctionNotSupported,
	0x6882: ckr.FunctionNotSupported,
	0x6884: ckr.DataLenRange,
	0x6900: ckr.FunctionFailed,
	0x6981: ckr.KeyTypeInconsistent,
	0x6982: ckr.UserNotLoggedIn,
	0x6983: ckr.PINLocked,
	0x6984: ckr.DataInvalid,
	0x6985: ckr.FunctionFailed,
	0x6A80: ckr.DataInvalid,
	0x6A81: ckr.FunctionNotSupported,
	0x6A82: ckr.ObjectHandleInvalid,
	0x6A84: ckr.DeviceMemory,
	0x6A88: ckr.KeyHandleInvalid,
	0x6D00: ckr.FunctionNotSupported,
	0x6E00: ckr.FunctionNotSupported,
}
