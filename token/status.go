package token

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
)

// Wrap turns any error of the layers below into a *ckr.Error that names the
// operation. An error that has a code keeps it; errors of the link and status
// words get the code of CodeOf.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *ckr.Error
	if errors.As(err, &e) {
		switch top := err == error(e); {
		case top && e.Op == op:
			return e
		case top && e.Op == "":
			return &ckr.Error{Code: e.Code, Op: op, Tries: e.Tries, Err: e.Err}
		}
		return &ckr.Error{Code: e.Code, Op: op, Tries: e.Tries, Err: err}
	}
	return ckr.New(CodeOf(err), op, err)
}

// CodeOf is the PKCS #11 code for an error of a lower layer.
func CodeOf(err error) ckr.Code {
	var code ckr.Code
	if errors.As(err, &code) {
		return code
	}
	for _, l := range linkCodes {
		if errors.Is(err, l.err) {
			return l.code
		}
	}
	var sw apdu.Status
	if errors.As(err, &sw) {
		return StatusCode(sw)
	}
	return ckr.GeneralError
}

var linkCodes = []struct {
	err  error
	code ckr.Code
}{
	{context.Canceled, ckr.FunctionCanceled},
	{context.DeadlineExceeded, ckr.FunctionCanceled},
	{apdu.ErrRemoved, ckr.DeviceRemoved},
	{apdu.ErrClosed, ckr.DeviceRemoved}, // the card was given up, because it went
	{apdu.ErrNoReader, ckr.DeviceRemoved},
	{apdu.ErrClosed, ckr.DeviceRemoved}, // the slot has let the card go
	{apdu.ErrNoCard, ckr.TokenNotPresent},
	{apdu.ErrReset, ckr.DeviceError},
	{apdu.ErrInUse, ckr.DeviceError},
	{apdu.ErrNoService, ckr.DeviceError},
	{apdu.ErrLink, ckr.DeviceError},
	{apdu.ErrUnsure, ckr.DeviceError},
}

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

func isPINError(err error) bool {
	switch ckr.Of(err) {
	case ckr.PINIncorrect, ckr.PINLocked, ckr.PINLenRange, ckr.PINInvalid, ckr.PINExpired, ckr.UserPINNotInitialized:
		return true
	}
	return false
}
