package codes

import (
	"context"
	"errors"

	"github.com/go-cryptoki/cryptoki/apdu"
	"github.com/go-cryptoki/cryptoki/ckr"
	"github.com/go-cryptoki/cryptoki/token/driver"
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
	return ckr.New(Of(err), op, err)
}

// CodeOf is the PKCS #11 code for an error of a lower layer.
func Of(err error) ckr.Code {
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
		return driver.StatusCode(sw)
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
